import { bounds, type Point, type Rect } from "../board/camera.svelte";
import type { DeskClient } from "../wasm/desk_client";
import type { Note } from "./note.svelte";

/** Sides of a note, in board units. */
const SIDE_MIN = 60;
const SIDE_MAX = 4000;

/** How the hand changes the desk. Both answer `undefined` if it could not be done. */
interface Changes {
  change<T>(call: (core: DeskClient, now: number) => T): T | undefined;
  /** As one step of undo. */
  together(edit: (core: DeskClient, now: number) => void): string[] | undefined;
}

interface Grip {
  /** The note under the pointer: others see this one move. */
  lead: string;
  origins: ReadonlyMap<string, Rect>;
  /** Nothing is moved but copies, at the drop. */
  copies: boolean;
}

/** Notes in this person's hand: shown where the hand is, and changed at the drop. */
export class Hand {
  #grip: Grip | undefined;
  #frame = false;

  constructor(
    private readonly notes: ReadonlyMap<string, Note>,
    private readonly desk: Changes,
  ) {}

  /** Takes notes; `lead` is the one under the pointer. */
  take(lead: string, ids: Iterable<string>, copies: boolean): void {
    const origins = new Map([...ids].flatMap((id) => {
      const note = this.notes.get(id);
      return note === undefined ? [] : [[id, note.rect] as const];
    }));
    this.#grip = { lead, origins, copies };
  }

  /** Whether it holds this note. */
  holds(id: string): boolean {
    return this.#grip?.origins.has(id) === true;
  }

  /** Where these of the notes that it holds were taken, together. */
  taken(ids: Iterable<string>): Rect | undefined {
    const origins = this.#grip?.origins;
    return bounds([...ids].flatMap((id) => origins?.get(id) ?? []));
  }

  /** All of them are this far from where they were taken. */
  move(by: Point): void {
    const grip = this.#grip;
    if (grip === undefined) return;
    for (const [id, { x, y }] of grip.origins) {
      const note = this.notes.get(id);
      if (note !== undefined) note.held = { x: Math.round(x + by.x), y: Math.round(y + by.y) };
    }
    if (this.#frame || grip.copies) return;
    this.#frame = true;
    requestAnimationFrame(() => {
      this.#frame = false;
      const lead = this.#grip?.lead ?? "";
      const to = this.notes.get(lead)?.held;
      if (to !== null && to !== undefined) {
        this.desk.change((core, now) => core.drag(now, lead, to.x, to.y));
      }
    });
  }

  /** The hand lets go. Answers where copies are to lie, if it held some. */
  drop(): Rect[] | undefined {
    const grip = this.#grip;
    this.#grip = undefined;
    if (grip === undefined) return undefined;
    const held = [...grip.origins.keys()].flatMap((id) => {
      const note = this.notes.get(id);
      return note?.held == null ? [] : [note];
    });
    if (grip.copies) {
      const places = held.map((note) => note.rect);
      for (const note of held) note.held = null;
      return places;
    }
    this.desk.change((core, now) => {
      // Somebody may have deleted all of them under the hand.
      if (held.length === 0) core.cancelDrag(now);
      else {
        const places = held.flatMap((note) => [note.held!.x, note.held!.y]);
        core.dropAll(now, held.map((note) => note.id), new Int32Array(places));
      }
    });
    for (const note of held) note.held = null;
    return undefined;
  }

  /** Pulls the corner of the rectangle around them by this much. */
  stretch(by: Point): void {
    const origins = this.#grip?.origins;
    const around = origins === undefined ? undefined : bounds(origins.values());
    if (origins === undefined || around === undefined) return;
    const one = origins.size === 1;
    const fx = Math.max(0.05, (around.width + by.x) / around.width);
    const fy = Math.max(0.05, (around.height + by.y) / around.height);
    for (const [id, rect] of origins) {
      const note = this.notes.get(id);
      if (note === undefined) continue;
      note.stretched = { width: side(rect.width * fx), height: side(rect.height * fy) };
      if (one) continue;
      note.held = {
        x: Math.round(around.x + (rect.x - around.x) * fx),
        y: Math.round(around.y + (rect.y - around.y) * fy),
      };
    }
    // One note is seen to grow by the others; of several they see the end.
    const [only] = origins.keys();
    if (!one || only === undefined || this.#frame) return;
    this.#frame = true;
    requestAnimationFrame(() => {
      this.#frame = false;
      const size = this.#grip === undefined ? undefined : this.notes.get(only)?.stretched;
      if (size != null) this.desk.change((core, now) => core.stretch(now, only, size.width, size.height));
    });
  }

  /** Ends the stretching. */
  release(): void {
    const notes = [...(this.#grip?.origins.keys() ?? [])].flatMap((id) => this.notes.get(id) ?? []);
    this.#grip = undefined;
    this.desk.change((core, now) => {
      if (notes.length === 0) return core.cancelDrag(now);
      const rects = notes.flatMap(({ record, held, stretched }) => {
        const { x, y } = held ?? record;
        const { width, height } = stretched ?? record;
        return [x, y, width, height];
      });
      core.releaseAll(now, notes.map((note) => note.id), new Int32Array(rects));
    });
    for (const note of notes) note.stretched = note.held = null;
  }

  /** All go back to where they were taken. */
  cancel(): void {
    const grip = this.#grip;
    this.#grip = undefined;
    if (grip === undefined) return;
    for (const id of grip.origins.keys()) {
      const note = this.notes.get(id);
      if (note !== undefined) note.stretched = note.held = null;
    }
    this.desk.change((core, now) => core.cancelDrag(now));
  }
}

function side(value: number): number {
  return Math.round(Math.min(SIDE_MAX, Math.max(SIDE_MIN, value)));
}
