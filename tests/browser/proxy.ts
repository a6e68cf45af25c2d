import { connect, createServer, type Server as Listener, type Socket } from "node:net";

/**
 * A line between a page and the server, to be made bad. What it does to a connection is
 * decided when that is made, and by `freeze` later.
 */
export class Proxy {
  #target = 0;
  #hangs = false;
  #upgrades: "pass" | "refuse" | "swallow" = "pass";
  readonly #open = new Set<Socket>();

  private constructor(
    private readonly listener: Listener,
    readonly port: number,
  ) {
    listener.on("connection", (near) => this.#take(near));
  }

  static async listen(): Promise<Proxy> {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const address = listener.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return new Proxy(listener, address.port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where connections lead. */
  to(port: number): void {
    this.#target = port;
  }

  /** Connections are taken and never answered, or pass again. */
  hang(hangs: boolean): void {
    this.#hangs = hangs;
  }

  /** What becomes of requests for an upgrade from now on, as by proxies that know none. */
  upgrades(what: "pass" | "refuse" | "swallow"): void {
    this.#upgrades = what;
  }

  /** Nothing passes on the connections that there are, and nobody is told. */
  freeze(): void {
    for (const socket of this.#open) {
      socket.unpipe();
      socket.pause();
    }
  }

  /** The connections that there are break. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  #take(near: Socket): void {
    this.#keep(near);
    if (this.#hangs) {
      near.pause();
      return;
    }
    near.once("data", (first) => this.#pass(near, first));
  }

  #pass(near: Socket, first: Buffer): void {
    if (this.#upgrades !== "pass" && /\r\nupgrade: websocket/i.test(first.toString("latin1"))) {
      if (this.#upgrades === "refuse") near.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    const far = connect(this.#target, "127.0.0.1");
    this.#keep(far);
    far.write(first);
    near.pipe(far);
    far.pipe(near);
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  }

  #keep(socket: Socket): void {
    this.#open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#open.delete(socket));
  }
}
