import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { freePort, Server } from "./server.ts";

const MACHINES = ["a", "b", "c"];
const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** The nats-server that `tools/need nats` fetches, else the one in `PATH`. */
function natsServer(): string {
  const fetched = join(ROOT, "target/tools/bin/nats-server");
  return process.env["NATS_SERVER_BIN"] ?? (existsSync(fetched) ? fetched : "nats-server");
}

/** Three nats-servers and three servers over them. */
export class Cluster {
  private constructor(
    readonly nodes: Server[],
    private readonly nats: ChildProcess[],
    private readonly folder: string,
  ) {}

  static async launch(): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), "sticker-desk-cluster-"));
    const ports = await Promise.all(MACHINES.map(async () => [await freePort(), await freePort()] as const));
    const routes = ports.map(([, route]) => `"nats-route://127.0.0.1:${route}"`).join(", ");
    const nats: ChildProcess[] = [];
    for (const [number, [client, route]] of ports.entries()) {
      const config = join(folder, `nats-${number}.conf`);
      const store = join(folder, `nats-${number}`);
      await writeFile(
        config,
        `server_name: "nats-${number}"\nlisten: "127.0.0.1:${client}"\n` +
          `jetstream { store_dir: "${store}", sync_interval: always }\n` +
          `cluster { name: "test", listen: "127.0.0.1:${route}", routes: [${routes}] }\n` +
          `system_account: SYS\naccounts {\n` +
          `  SYS: { users: [{ user: sys, password: sys }], exports: [{ service: ` +
          `"$SYS.REQ.SERVER.PING.VARZ", response: stream, accounts: [DESK] }] }\n` +
          `  DESK: { jetstream: enabled, users: [{ user: desk, password: desk }], imports: ` +
          `[{ service: { account: SYS, subject: "$SYS.REQ.SERVER.PING.VARZ" } }] }\n}\n`,
      );
      nats.push(await startNats(config));
    }
    const servers = ports.map(([client]) => `nats://desk:desk@127.0.0.1:${client}`).join(",");
    const nodes: Server[] = [];
    for (const name of MACHINES) {
      nodes.push(await Server.launch("--cluster", servers, "--node", name, "--advertise", "SELF"));
    }
    return new Cluster(nodes, nats, folder);
  }

  /** The machine whose address a URL is of. */
  machineOf(url: string): number {
    return this.nodes.findIndex((node) => url.startsWith(node.url));
  }

  /** `kill -9` of a machine: its server and its nats-server. */
  async kill9(machine: number): Promise<void> {
    this.nats[machine]?.kill("SIGKILL");
    await this.nodes[machine]?.kill9();
  }

  async dispose(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.dispose()));
    for (const nats of this.nats) nats.kill("SIGKILL");
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Starts a nats-server, and waits until it says that it is ready. */
async function startNats(config: string): Promise<ChildProcess> {
  const child = spawn(natsServer(), ["--config", config], { stdio: ["ignore", "ignore", "pipe"] });
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`nats-server ended with ${code}`)));
    createInterface({ input: child.stderr! }).on("line", (line) => {
      if (line.includes("Server is ready")) resolve();
    });
  });
  return child;
}
