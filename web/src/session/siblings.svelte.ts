interface Word {
  desk: string;
  author: number;
  /** The tab has just come, and wants to hear of the others; or it goes. */
  about: "come" | "here" | "gone";
}

const NOBODY: ReadonlySet<number> = new Set();

/** Who of a desk's authors is this browser's own, in another tab. */
export class Siblings {
  authors: ReadonlySet<number> = $state.raw(NOBODY);
  #channel: BroadcastChannel | undefined;
  #author: number | undefined;

  constructor(private readonly desk: string) {}

  /** This tab is that author of the desk. */
  tell(author: number): void {
    if (author === this.#author) return;
    this.#author = author;
    this.#channel ??= this.#listen();
    this.#say("come");
  }

  /** This tab goes, or leaves the desk. */
  close(): void {
    this.#say("gone");
    this.#channel?.close();
    this.#channel = this.#author = undefined;
    this.authors = NOBODY;
  }

  #listen(): BroadcastChannel {
    const opened = new BroadcastChannel("sticker-desk.tabs");
    // A page that comes back from the browser's memory is live again soon, and tells.
    addEventListener("pagehide", () => this.close(), { once: true });
    opened.addEventListener("message", ({ data }: MessageEvent<Word>) => {
      if (data.desk !== this.desk) return;
      const authors = new Set(this.authors);
      if (data.about === "gone") authors.delete(data.author);
      else authors.add(data.author);
      this.authors = authors;
      if (data.about === "come") this.#say("here");
    });
    return opened;
  }

  #say(about: Word["about"]): void {
    if (this.#author === undefined) return;
    this.#channel?.postMessage({ desk: this.desk, author: this.#author, about } satisfies Word);
  }
}
