import { freePlace } from "../board/arrange";
import { bounds, type Point, type Rect } from "../board/camera.svelte";
import { OWN_TYPE } from "../board/clip";
import { Problem } from "../session/api";
import type { NewNote, Session } from "../session/session.svelte";
import type { ReadDetails, ReadFault, Told } from "../text/messages";
import { percent, text } from "../text/text.svelte";
import { toasts } from "../ui/toasts.svelte";
import type { Reading } from "../wasm-files/desk_files";
import { loadReaders } from "./readers";

/**
 * Notes and characters that go through the core as one batch, also without a line. More of
 * them would go in several batches: others would see half of the file.
 */
const BATCH_NOTES_MAX = 400;
const BATCH_CHARS_MAX = 40_000;
/** The longest file that is read. */
export const FILE_BYTES_MAX = 32 << 20;
/** A request whose answer is lost is sent again so often, under the same number. */
const ATTEMPTS_MAX = 4;
const AGAIN_MS = 1500;

/** A clipboard, or what was dropped; taken before anything is waited for. */
export interface Clip {
  own: string;
  html: string;
  plain: string;
  files: readonly File[];
}

/** A board that was read, and where it goes. */
interface Board {
  notes: NewNote[];
  json: string;
  kind: string;
  told: string[];
  /** The JSON holds deleted notes as well. */
  deleted: boolean;
}

export function clipOf(data: DataTransfer): Clip {
  const files = [...data.files].filter((file) => !file.type.startsWith("image/"));
  return {
    own: data.getData(OWN_TYPE),
    html: data.getData("text/html"),
    plain: data.getData("text/plain"),
    files,
  };
}

/** Brings boards of files and clipboards onto the desk. */
export class Importer {
  /** What this tab copied last: to paste it needs no readers, and so no line. */
  copied = "";

  constructor(
    private readonly session: Session,
    /** The colour of notes whose file does not say any. */
    private readonly view: { readonly paper: string },
    private readonly show: (made: readonly string[], notes: readonly Rect[]) => void,
  ) {}

  /** Notes, lines, cells or a board of another program, around the point `at`. */
  async paste(clip: Clip, at: Point): Promise<void> {
    const isText = clip.own !== "" || clip.html !== "" || clip.plain !== "";
    if (!isText) {
      for (const file of clip.files) await this.file(file, at);
      return;
    }
    if (clip.own !== "" && clip.own === this.copied) {
      this.#add({ notes: notesIn(clip.own), kind: "json", told: [] }, at);
      return;
    }
    await this.#bring(async () => {
      const readers = await loadReaders();
      return readers.readClipboard(clip.own, clip.html, clip.plain);
    }, at);
  }

  /** A file; `deleted`: with its deleted notes. */
  async file(file: File, at?: Point, deleted = false): Promise<void> {
    if (file.size > FILE_BYTES_MAX) {
      toasts.warn(text.files.tooLarge(file.name));
      return;
    }
    await this.#bring(
      async () => {
        const [readers, bytes] = await Promise.all([loadReaders(), file.arrayBuffer()]);
        return readers.readFile(new Uint8Array(bytes), file.name, deleted);
      },
      at,
      file.name,
    );
  }

  async #bring(read: () => Promise<Reading>, at?: Point, name?: string): Promise<void> {
    let reading: Reading;
    try {
      reading = await read();
    } catch (error) {
      toasts.warn(refusal(error, name));
      return;
    }
    const { json, kind, told, deleted } = reading;
    reading.free();
    const board = { json, kind, told: clauses(JSON.parse(told) as Told), deleted, notes: notesIn(json) };
    if (!this.session.canEdit) return;
    const chars = board.notes.reduce((sum, note) => sum + (note.text?.length ?? 0), 0);
    if (!deleted && board.notes.length <= BATCH_NOTES_MAX && chars <= BATCH_CHARS_MAX) {
      this.#add(board, at);
    } else {
      await this.#send(board, name);
    }
  }

  /** Through the core: with or without a line. */
  #add(board: Pick<Board, "notes" | "kind" | "told">, at?: Point): void {
    const all = bounds(board.notes);
    if (all === undefined) return;
    const taken = [...this.session.notes.values()].map((note) => note.rect);
    const wanted =
      at === undefined ? all : { ...all, x: Math.round(at.x - all.width / 2), y: Math.round(at.y - all.height / 2) };
    const to = freePlace(wanted, taken);
    const [dx, dy] = [Math.round(to.x - all.x), Math.round(to.y - all.y)];
    const plain = PLAIN.has(board.kind);
    const notes = board.notes.map((note) => ({
      ...note,
      x: note.x + dx,
      y: note.y + dy,
      color: plain && note.color === DEFAULT_COLOR ? this.view.paper : note.color,
    }));
    const made = this.session.add(notes);
    if (made.length === 0) return;
    this.show(made, notes);
    if (made.length > 1 || board.told.length > 0) this.#tell(made.length, board.told);
  }

  /** By a request: the whole of it appears at once for everybody, or nothing does. */
  async #send(board: Board, name = ""): Promise<void> {
    const notice = toasts.hold(text.files.sending(name, percent(0)));
    const number = crypto.getRandomValues(new Uint32Array(4)).join("-");
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          const told = (part: number): void => notice.say(text.files.sending(name, percent(part)));
          const { revision, created } = await this.session.importNotes(board, number, told);
          this.session.imported(revision, created);
          this.#tell(created.length, board.told);
          return;
        } catch (error) {
          // The number makes it count once, also if only the answer was lost.
          if (error instanceof Problem || attempt === ATTEMPTS_MAX) throw error;
          await new Promise((resolve) => setTimeout(resolve, attempt * AGAIN_MS));
        }
      }
    } catch (error) {
      toasts.warn(error instanceof Problem ? text.files.sendFailed : text.files.noLine);
    } finally {
      notice.end();
    }
  }

  #tell(count: number, told: readonly string[]): void {
    const message = [text.files.imported(count), ...told].join("; ");
    toasts.show(`${message}.`, { label: text.tools.undo, run: () => this.session.undo() });
  }
}

/** Kinds that say nothing of a note's colour. */
const PLAIN = new Set(["lines", "md", "cells"]);
const DEFAULT_COLOR = "#ffe066";

function notesIn(json: string): NewNote[] {
  return (JSON.parse(json) as { stickers: NewNote[] }).stickers;
}

/** What became of a file beside its notes, in clauses. */
function clauses({ text: english, leftOut, remarks }: Told): string[] {
  const words = text.report;
  if (words === null) return english === "" ? [] : english.split("\n");
  const things = leftOut.map(([what, count]) => words.leftOut[what](count)).join(", ");
  const rest = remarks.map(([what, count]) => words.remarks[what](count));
  return things === "" ? rest : [words.notTakenOver(things), ...rest];
}

/** Why a file was not read. */
function refusal(error: unknown, name: string | undefined): string {
  const record = recordOf(error);
  if (record === undefined) return text.files.noReaders;
  const nothing = { place: {}, name: "", line: 0, column: 0, byte: 0, found: 0, limit: 0 };
  const why = text.unreadable?.[record.reason]?.({ ...nothing, ...record }) ?? record.detail;
  return name === undefined ? text.files.notPasted(why) : text.files.refused(name, why);
}

/** What the readers threw; `undefined`: it is not theirs, they could not be loaded. */
function recordOf(error: unknown): (Partial<ReadDetails> & { reason: ReadFault; detail: string }) | undefined {
  try {
    return JSON.parse((error as Error).message) as ReturnType<typeof recordOf>;
  } catch {
    return undefined;
  }
}
