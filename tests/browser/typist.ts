import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { binary } from "./server.ts";

/** A program on a desk, over a transport of its own: the example of the native client. */
export class Typist {
  readonly #lines: AsyncIterator<string>;

  private constructor(private readonly child: ChildProcess) {
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  /** Joins a desk; tells what carries it. */
  static async join(link: string, transport: string): Promise<[Typist, string]> {
    const program = join(dirname(binary()), "examples", "typist");
    const child = spawn(program, [link, transport], { stdio: ["pipe", "pipe", "inherit"] });
    const typist = new Typist(child);
    return [typist, await typist.#next()];
  }

  /** Adds a note, and waits until it is durable. */
  async add(text: string): Promise<void> {
    const said = await this.#ask(text);
    if (said !== "saved") throw new Error(`the program says ${said}`);
  }

  /** All texts that it sees, sorted. */
  async texts(): Promise<string[]> {
    return (JSON.parse(await this.#ask("?")) as string[]).sort();
  }

  leave(): void {
    this.child.stdin?.end();
  }

  #ask(line: string): Promise<string> {
    this.child.stdin?.write(`${line}\n`);
    return this.#next();
  }

  async #next(): Promise<string> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error("the program has ended");
    return value;
  }
}
