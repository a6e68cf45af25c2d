import type { Point, Rect } from "../board/camera.svelte";

/** A note as the core shows it: confirmed state with this client's own changes on top. */
export interface NoteRecord {
  id: string;
  x: number;
  y: number;
  width: number;
  height: number;
  color: string;
  z: number;
  text: string;
  author: number;
  deleted: boolean;
  /** Hands keep off it. */
  locked: boolean;
  /** When the server accepted its creation, in milliseconds of its clock. */
  createdAt: number;
  /** Authors and their counters; absent: none. */
  counters?: [author: number, count: number][];
  /** Its text is not shown: somebody else's, written for himself. */
  veiled?: true;
  /** What it is; what is not known is shown as a note. */
  kind: number;
  /** Who wrote its text last. */
  writer: number;
}

/** The kind of an area: a titled rectangle under all notes. */
export const AREA = 1;

/** So long a note is new, in milliseconds: those that come into sight later do not move. */
const FRESH_MS = 300;

export interface Size {
  width: number;
  height: number;
}

/** One note on the board: its record, and what people are doing with it now. */
export class Note {
  readonly id: string;
  /** As the core told it. */
  #told: NoteRecord;
  #record: NoteRecord = $state.raw() as NoteRecord;
  #held: Point | null = $state.raw(null);
  #stretched: Size | null = $state.raw(null);
  #led: Point | null = $state.raw(null);

  /**
   * `born`: when it came, if that was while the desk was open: it may settle in sight.
   * `moved`: told whenever the note looks otherwise from afar.
   */
  constructor(
    record: NoteRecord,
    private readonly born: number | undefined,
    private readonly moved: () => void,
    private readonly isVeiled: (record: NoteRecord) => boolean,
  ) {
    this.id = record.id;
    this.#told = record;
    this.#record = this.#seen(record);
  }

  /** It has only just come. */
  get fresh(): boolean {
    return this.born !== undefined && performance.now() - this.born < FRESH_MS;
  }

  get isArea(): boolean {
    return this.#record.kind === AREA;
  }

  get record(): NoteRecord {
    return this.#record;
  }

  set record(next: NoteRecord) {
    const last = this.#record;
    this.#told = next;
    this.#record = this.#seen(next);
    const same =
      last.x === next.x &&
      last.y === next.y &&
      last.width === next.width &&
      last.height === next.height &&
      last.z === next.z &&
      last.color === next.color;
    if (!same) this.moved();
  }

  /** Others' notes are shown, or are shown no more. */
  veil(): void {
    const is = this.isVeiled(this.#told);
    if (is === (this.#record.veiled === true)) return;
    this.#record = this.#seen(this.#told);
    this.moved();
  }

  #seen(record: NoteRecord): NoteRecord {
    return this.isVeiled(record) ? { ...record, text: "", veiled: true } : record;
  }

  /** Where this person's hand holds it, until the drop. */
  get held(): Point | null {
    return this.#held;
  }

  set held(to: Point | null) {
    this.#held = to;
    this.moved();
  }

  /** Its size under this person's hand. */
  get stretched(): Size | null {
    return this.#stretched;
  }

  set stretched(to: Size | null) {
    this.#stretched = to;
    this.moved();
  }

  /** Where somebody else's hand holds it. */
  get led(): Point | null {
    return this.#led;
  }

  set led(to: Point | null) {
    this.#led = to;
    this.moved();
  }

  get place(): Point {
    return this.#held ?? this.#led ?? this.#record;
  }

  get size(): Size {
    return this.#stretched ?? this.#record;
  }

  get rect(): Rect {
    const { x, y } = this.place;
    const { width, height } = this.size;
    return { x, y, width, height };
  }
}

/** Someone else on the desk. What it shows changes often, who it is does not. */
export class Person {
  name: string = $state("");
  color: string = $state("");
  cursor: Point | null = $state.raw(null);
  /** The note being typed into. */
  editing: string | null = $state(null);
  /** Where it writes there, in characters. */
  caret: number | null = $state(null);

  constructor(readonly author: number) {}
}
