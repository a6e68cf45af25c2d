import { createServer, request, type IncomingMessage, type Server as Listener } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";

/** What stands before the server and can put another version of the page in its place. */
export class Deploy {
  #target = 0;
  #version = "";

  private constructor(
    private readonly listener: Listener,
    readonly url: string,
  ) {}

  static async listen(): Promise<Deploy> {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const deploy = new Deploy(listener, `http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
    listener.on("request", (near, answer) => {
      const { method, url: path, headers } = near;
      const to = { port: deploy.#target, method, path, headers: { ...headers, "accept-encoding": "identity" } };
      const far = request(to, (from) => {
        void deploy.#passed(from, path ?? "").then((body) => {
          const { "content-length": _, etag: __, ...kept } = from.headers;
          answer.writeHead(from.statusCode ?? 502, { ...kept, "content-length": body.length });
          answer.end(body);
        });
      });
      far.on("error", () => near.socket.destroy());
      near.pipe(far);
    });
    listener.on("upgrade", (near, socket, head) => {
      const far = connect(deploy.#target, "127.0.0.1", () => {
        const fields = near.rawHeaders.flatMap((field, at) => (at % 2 === 0 ? `${field}: ${near.rawHeaders[at + 1]}` : []));
        far.write(`GET ${near.url} HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`);
        far.write(head);
        far.pipe(socket).pipe(far);
      });
      for (const end of [far, socket]) {
        end.on("error", () => end.destroy());
        end.on("close", () => (end === far ? socket : far).destroy());
      }
    });
    return deploy;
  }

  /** Where requests lead. */
  to(port: number): void {
    this.#target = port;
  }

  /** From now on there is another version of the page. */
  publish(version: string): void {
    this.#version = version;
  }

  async close(): Promise<void> {
    this.listener.closeAllConnections();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  async #passed(from: IncomingMessage, path: string): Promise<Buffer> {
    const body = Buffer.concat(await from.toArray());
    if (this.#version === "") return body;
    if (path === "/sw.js") {
      return Buffer.from(body.toString().replace(/const VERSION="[^"]*"/, `const VERSION="${this.#version}"`));
    }
    if (from.headers["content-type"]?.startsWith("text/html") === true) {
      return Buffer.from(body.toString().replace("<html", `<html data-version="${this.#version}"`));
    }
    return body;
  }
}
