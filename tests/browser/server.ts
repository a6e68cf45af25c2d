import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** How long a start may take before it counts as failed. */
const READY_MS_MAX = 20_000;
/** INTERFACE's bound for a drain; the server exits by itself within it. */
const DRAIN_MS_MAX = 10_000;
/** Output kept of one run, for the message of a failed start. */
const OUTPUT_LINES_MAX = 200;

/** The binary under test. It is never built here: `make test` and `cargo build` do that. */
export function binary(): string {
  const named = process.env["STICKER_DESK_BIN"];
  if (named !== undefined && named !== "") return named;
  const target = process.env["CARGO_TARGET_DIR"] ?? join(ROOT, "target");
  const built = ["debug", "release"]
    .map((profile) => join(target, profile, "sticker-desk"))
    .find((path) => existsSync(path));
  if (built === undefined) {
    throw new Error(`no sticker-desk in ${target}: run "cargo build -p sticker-desk" first`);
  }
  return built;
}

/**
 * One real server on a port and a data folder of its own. Both stay the same
 * over `kill9`, `stop` and `start`, so an open page can find it again.
 */
export class Server {
  /** What the server has printed since its last start, newest last. */
  readonly output: string[] = [];
  #child: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(null);

  private constructor(
    readonly port: number,
    readonly data: string,
    readonly flags: readonly string[],
  ) {}

  /** Starts a server; `flags` are added to `serve`'s, "SELF" standing for its own URL. */
  static async launch(...flags: string[]): Promise<Server> {
    const data = await mkdtemp(join(tmpdir(), "sticker-desk-"));
    const server = new Server(await freePort(), data, flags);
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** Starts the binary and waits for its ready line. */
  async start(): Promise<void> {
    if (this.running) throw new Error("the server is running already");
    this.output.length = 0;
    const address = `127.0.0.1:${this.port}`;
    const quic = this.flags.includes("--quic") ? [] : ["--quic", address];
    const child = spawn(
      binary(),
      ["serve", "--listen", address, ...quic, "--data", this.data, ...this.flags.map((flag) => (flag === "SELF" ? this.url : flag))],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once("error", (error) => {
        this.output.push(String(error));
        this.#child = undefined;
        resolve(null);
      });
      child.once("exit", (code) => {
        this.#child = undefined;
        resolve(code);
      });
    });
    const ready = new Promise<true>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on("line", (line) => {
          this.output.push(line);
          if (this.output.length > OUTPUT_LINES_MAX) this.output.shift();
          if (stream === child.stdout && line.includes(address)) resolve(true);
        });
      }
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), READY_MS_MAX);
    });
    const first = await Promise.race([ready, late, this.#exited]);
    clearTimeout(timer);
    if (first !== true) {
      await this.kill9();
      const how = first === "late" ? `within ${READY_MS_MAX} ms` : `before exit code ${first}`;
      throw new Error(`no ready line with ${address} ${how}; it said:\n${this.output.join("\n")}`);
    }
  }

  /** `kill -9`: no drain, no goodbye. */
  async kill9(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  /** `SIGTERM` and the wait for the drain; answers the exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return this.#exited;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), DRAIN_MS_MAX);
    const code = await this.#exited;
    clearTimeout(timer);
    return code;
  }

  /** Ends the server for good and removes its data. */
  async dispose(): Promise<void> {
    await this.kill9();
    await rm(this.data, { recursive: true, force: true });
  }
}

/** A port that was free a moment ago; the server takes it at once. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", resolve);
  });
  const address = probe.address();
  if (address === null || typeof address === "string") throw new Error("no port from the system");
  await new Promise((resolve) => probe.close(resolve));
  return address.port;
}
