import { createSocket, type Socket } from "node:dgram";

/**
 * A way for the datagrams of one page to a server, as a router that translates addresses is:
 * the server sees the router's port, which may change at any time.
 */
export class Relay {
  #near: Socket;
  #far: Socket | undefined;
  #page = 0;
  #closed = false;
  /** How many datagrams each way out has carried to the server. */
  readonly carried: number[] = [];

  private constructor(
    near: Socket,
    private readonly to: string,
    /** How long each datagram takes, in milliseconds. */
    private readonly delay: number,
  ) {
    this.#near = near;
    near.on("message", (bytes, { port }) => {
      this.#page = port;
      this.carried[this.carried.length - 1]! += 1;
      this.#later(() => this.#far?.send(bytes, this.port, this.to));
    });
  }

  /** Listens at 127.0.0.1, for a server at another address and the same port. */
  static async listen(to: string, delay = 0): Promise<Relay> {
    const near = createSocket("udp4");
    await new Promise<void>((resolve) => near.bind(0, "127.0.0.1", resolve));
    const relay = new Relay(near, to, delay);
    await relay.move();
    return relay;
  }

  get port(): number {
    return this.#near.address().port;
  }

  /** What is sent from now on comes from another port; the former one is gone. */
  async move(): Promise<void> {
    const far = createSocket("udp4");
    far.on("message", (bytes) => this.#later(() => this.#near.send(bytes, this.#page, "127.0.0.1")));
    await new Promise<void>((resolve) => far.bind(0, resolve));
    this.#far?.close();
    this.#far = far;
    this.carried.push(0);
  }

  #later(pass: () => void): void {
    if (this.delay === 0) pass();
    else setTimeout(() => this.#closed || pass(), this.delay);
  }

  close(): void {
    this.#closed = true;
    this.#far?.close();
    this.#near.close();
  }
}
