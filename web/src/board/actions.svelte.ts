import { AREA, type Note } from "../session/note.svelte";
import type { NewNote, Session } from "../session/session.svelte";
import { text } from "../text/text.svelte";
import { clipOf, Importer } from "../files/import";
import { toasts } from "../ui/toasts.svelte";
import {
  align,
  beside,
  distribute,
  type Edge,
  freePlace,
  GAP,
  type Piece,
  type Side,
  tidy,
} from "./arrange";
import { bounds, type Point, type Rect } from "./camera.svelte";
import { carried } from "./carry";
import { type Cutting, write } from "./clip";
import { snap } from "./snap";
import { AREA_HEIGHT, AREA_WIDTH, template, type TemplateName } from "./templates";
import type { BoardView } from "./view.svelte";

/** The side of a new note, in board units: the protocol's default. */
const SIDE = 200;
/** Notes that are duplicated far from each other would be looked for: they are put beside. */
const SHIFT = 24;
/** A dragged note holds to what is nearer than this, in pixels. */
const SNAP_REACH = 8;
/** How high the heading of an area is, in board units. */
const HEADING = 72;
/** That a note is locked is not told again for so long, in milliseconds. */
const TOLD_MS = 6000;

/** What a person does with notes, by keys, pointer and tools alike. */
export class Actions {
  /** A note that was made to be written in: without a word it goes again. */
  #fresh: { id: string; record: Note["record"] } | undefined;
  /** What was refused last, since it is locked, and when: it is told once. */
  #refused = { ids: "", at: -Infinity };
  /** Where the pointer is on the board, while it is there. */
  pointer: Point | null = null;
  /** Brings in what comes from elsewhere. */
  readonly importer: Importer;

  constructor(
    private readonly session: Session,
    private readonly view: BoardView,
  ) {
    this.importer = new Importer(session, view, (made, notes) => this.#show(made, notes));
  }

  /** The selected notes, as they lie. */
  get notes(): Note[] {
    return [...this.view.selected].flatMap((id) => this.session.notes.get(id) ?? []);
  }

  // ---- locked notes

  /** Of these notes those that hands may change. Of the others a person is told how. */
  #free(notes: readonly Note[]): Note[] {
    const locked = notes.filter((note) => note.record.locked);
    if (locked.length > 0) this.#refuse(locked.map((note) => note.id));
    return notes.filter((note) => !note.record.locked);
  }

  #refuse(ids: string[]): void {
    const now = performance.now();
    const same = this.#refused.ids === ids.join() && now - this.#refused.at < TOLD_MS;
    if (same) return;
    this.#refused = { ids: ids.join(), at: now };
    const isLocked = (id: string): boolean => this.session.notes.get(id)?.record.locked === true;
    const unlock = { label: text.note.unlock, run: () => this.session.lock(ids, false) };
    toasts.show(text.note.isLocked(ids.length), unlock, () => ids.some(isLocked));
  }

  /** Whether the hand may take this note; if it may not, a person is told. */
  isFree(id: string): boolean {
    const note = this.session.notes.get(id);
    return note !== undefined && this.#free([note]).length > 0;
  }

  /** A second click: writes in a note or in an area's heading, makes a note within an area. */
  open(id: string, at: Point): void {
    const note = this.session.notes.get(id);
    if (note?.isArea === true && at.y > note.rect.y + HEADING) this.createAt(at);
    else this.write(id);
  }

  /** Opens a note for writing. */
  write(id: string): void {
    if (this.isFree(id)) this.view.edit(id, this.session.notes.get(id)?.rect);
  }

  /** Locks the selected notes, or unlocks them if all are locked. */
  lock(): void {
    const notes = this.notes;
    this.session.lock(this.view.selected, notes.some((note) => !note.record.locked));
  }

  /** The hand takes those of the selected notes that it may, and what their areas carry. */
  take(lead: string, copies: boolean): void {
    const notes = copies ? this.notes : this.#carried(this.#free(this.notes));
    this.session.hand.take(lead, notes.map((note) => note.id), copies);
  }

  /** The hand is this far from where it took notes; they may hold to others in sight. */
  drag(by: Point, snaps: boolean): void {
    const { hand, notes } = this.session;
    const { camera, selected } = this.view;
    const from = snaps ? hand.taken(selected) : undefined;
    if (from === undefined) {
      this.view.guides = [];
      hand.move(by);
      return;
    }
    const rest = [...notes.values()].filter((note) => !hand.holds(note.id) && camera.shows(note.rect));
    const rect = { ...from, x: from.x + by.x, y: from.y + by.y };
    const held = snap(rect, rest.map((note) => note.rect), SNAP_REACH / camera.scale);
    this.view.guides = held.guides;
    hand.move({ x: by.x + held.by.x, y: by.y + held.by.y });
  }

  /** The hand takes the corner of those of the selected notes that it may. */
  grip(): void {
    this.session.hand.take("", this.#free(this.notes).map((note) => note.id), false);
  }

  /** Notes, and those that go with the areas among them. */
  #carried(notes: readonly Note[]): Note[] {
    return carried(notes, [...this.session.notes.values()].filter((note) => !note.record.locked));
  }

  // ---- new notes

  /** A new note with its middle here, open for writing. */
  createAt(at: Point): void {
    this.#open({ x: at.x - SIDE / 2, y: at.y - SIDE / 2, width: SIDE, height: SIDE });
  }

  /** A new note where the eye is, over no other. */
  add(): void {
    const middle = this.view.camera.center();
    const wanted = { x: middle.x - SIDE / 2, y: middle.y - SIDE / 2, width: SIDE, height: SIDE };
    this.#open({ ...wanted, ...freePlace(wanted, this.#taken()) });
  }

  /** The next note beside this one: of its size and colour, over no other. */
  next(id: string, side: Side): void {
    const note = this.session.notes.get(id);
    // An empty note is the next one already.
    if (note === undefined || (this.#fresh?.id === id && note.record.text.trim() === "")) return;
    this.view.editing = null;
    if (note.isArea) {
      const within = { x: note.rect.x + GAP, y: note.rect.y + HEADING, width: SIDE, height: SIDE };
      this.#open({ ...within, ...freePlace(within, this.#taken()) });
      return;
    }
    const wanted = beside(note.rect, side);
    this.#open({ ...wanted, ...freePlace(wanted, this.#taken()) }, note.record.color);
  }

  #open(rect: Rect, color = this.view.paper): void {
    const whole = { ...rect, x: Math.round(rect.x), y: Math.round(rect.y) };
    const made = this.session.create({ ...whole, color });
    const note = made === undefined ? undefined : this.session.notes.get(made);
    if (note === undefined) return;
    this.#fresh = { id: note.id, record: note.record };
    this.view.edit(note.id, note.rect);
    this.view.camera.reveal(note.rect);
  }

  /** Writing has ended. A new note that says nothing was not meant. */
  written(id: string, typed: boolean): void {
    const fresh = this.#fresh;
    if (fresh?.id !== id) return;
    this.#fresh = undefined;
    const record = this.session.notes.get(id)?.record;
    if (record === undefined || record.text.trim() !== "") return;
    const untouched =
      !typed &&
      record.color === fresh.record.color &&
      record.x === fresh.record.x &&
      record.y === fresh.record.y &&
      record.width === fresh.record.width &&
      record.height === fresh.record.height;
    if (untouched && this.session.canUndo) this.session.undo();
    else this.session.remove([id]);
  }

  /**
   * The note was deleted under the hands. What is typed on is no command; the next click,
   * or Esc, ends that.
   */
  taken(id: string): void {
    if (!this.session.isDeleted(id) || !this.session.canEdit) return;
    this.view.deaf = true;
    const who = this.session.remover(id)?.name;
    const putBack = (): void => {
      this.view.deaf = false;
      this.session.restore([id]);
      this.view.edit(id, this.session.notes.get(id)?.rect);
    };
    toasts.show(text.note.taken(who), { label: text.note.putBack, run: putBack }, () => this.session.isDeleted(id));
  }

  #taken(): Rect[] {
    return [...this.session.notes.values()].filter((note) => !note.isArea).map((note) => note.rect);
  }

  // ---- areas

  /** A new area where the eye is, its heading open for writing. */
  addArea(): void {
    const middle = this.view.camera.center();
    const [width, height] = [AREA_WIDTH, AREA_HEIGHT];
    const place = { x: Math.round(middle.x - width / 2), y: Math.round(middle.y - height / 2), width, height };
    const made = this.session.create({ ...place, color: this.view.paper, kind: AREA });
    if (made !== undefined) this.view.edit(made, place);
  }

  /** The areas of a template around the middle of what is seen, as one step. */
  addTemplate(name: TemplateName): void {
    const { camera } = this.view;
    const areas = template(name, text.templates[name].areas, camera.center());
    this.#put(areas);
    const all = bounds(areas);
    // What does not fit the window is shown as a whole, be it from afar.
    if (all !== undefined && (all.width * camera.scale > camera.width || all.height * camera.scale > camera.height)) {
      camera.fit([all]);
    }
  }

  // ---- the selected notes

  selectAll(): void {
    this.view.selectAll(this.session.notes.keys());
  }

  remove(): void {
    const ids = this.#free(this.notes).map((note) => note.id);
    if (ids.length === 0 || !this.session.remove(ids)) return;
    this.view.select(null);
    this.view.home();
    const undo = { label: text.tools.undo, run: () => this.session.restore(ids) };
    toasts.show(text.note.deleted(ids.length), undo, () => ids.some((id) => this.session.isDeleted(id)));
  }

  /** Copies beside the notes: to the right, as far as they are wide, if that is free. */
  duplicate(): void {
    const notes = this.notes;
    const all = bounds(notes.map((note) => note.rect));
    if (all === undefined) return;
    const to = freePlace(beside(all, "right"), this.#taken());
    const far = Math.hypot(to.x - all.x, to.y - all.y) > 3 * (all.width + all.height);
    const [dx, dy] = far ? [SHIFT, SHIFT] : [to.x - all.x, to.y - all.y];
    this.copyTo(notes.map(({ rect }) => ({ ...rect, x: rect.x + dx, y: rect.y + dy })));
  }

  /** Copies of the selected notes at these places, in their order. */
  copyTo(places: readonly Rect[]): void {
    const notes = this.notes;
    const copies = notes.flatMap(({ record: { color, text: words, kind } }, at) => {
      const rect = places[at];
      return rect === undefined ? [] : [{ ...rounded(rect), color, text: words, kind }];
    });
    this.#put(copies);
  }

  #put(notes: readonly NewNote[]): void {
    const made = this.session.add(notes);
    if (made.length > 0) this.#show(made, notes);
  }

  #show(made: readonly string[], notes: readonly Rect[]): void {
    this.view.selectAll(made);
    const all = bounds(notes);
    if (all !== undefined) this.view.camera.reveal(all);
  }

  move(by: Point): void {
    const notes = this.#carried(this.#free(this.notes));
    const moved = notes.map(({ id, rect }) => ({ ...rect, id, x: rect.x + by.x, y: rect.y + by.y }));
    this.session.place(new Map(moved.map((rect) => [rect.id, rect])));
    const all = bounds(moved);
    if (all !== undefined) this.view.camera.reveal(all);
  }

  /** As if their common corner were pulled so far. */
  stretch(by: Point): void {
    const { hand } = this.session;
    this.grip();
    hand.stretch(by);
    hand.release();
    const all = bounds(this.notes.map((note) => note.rect));
    if (all !== undefined) this.view.camera.reveal(all);
  }

  recolor(color: string): void {
    this.view.paper = color;
    this.session.recolor(this.#free(this.notes).map((note) => note.id), color);
  }

  raise(): void {
    this.session.raise(this.view.selected);
  }

  lower(): void {
    this.session.lower(this.view.selected);
  }

  align(edge: Edge): void {
    this.#place(align(this.#pieces(), edge));
  }

  distribute(way: "across" | "down"): void {
    this.#place(distribute(this.#pieces(), way));
  }

  tidy(): void {
    this.#place(tidy(this.#pieces()));
  }

  /** Puts notes where they are wanted; areas take along what lies in them. */
  #place(places: ReadonlyMap<string, Point>): void {
    const all = new Map(places);
    for (const [id, to] of places) {
      const area = this.session.notes.get(id);
      if (area === undefined || !area.isArea) continue;
      const [dx, dy] = [to.x - area.rect.x, to.y - area.rect.y];
      for (const { id: other, rect } of this.#carried([area])) {
        if (!all.has(other)) all.set(other, { x: rect.x + dx, y: rect.y + dy });
      }
    }
    this.session.place(all);
  }

  #pieces(): Piece[] {
    return this.#free(this.notes).map((note) => ({ id: note.id, ...note.rect }));
  }

  // ---- the clipboard

  copy(data: DataTransfer): boolean {
    const notes = this.notes.map(({ rect, record }): Cutting => ({
      ...rect,
      color: record.color,
      text: record.text,
      ...(record.kind === 0 ? {} : { kind: record.kind }),
    }));
    if (notes.length > 0) this.importer.copied = write(data, notes);
    return notes.length > 0;
  }

  /**
   * Notes, lines, cells, boards and files become notes where the pointer is, else where the
   * eye is. Answers whether there is anything.
   */
  paste(data: DataTransfer, at: Point | null = this.pointer): boolean {
    const clip = clipOf(data);
    if (clip.own + clip.html + clip.plain === "" && clip.files.length === 0) return false;
    void this.importer.paste(clip, at ?? this.view.camera.center());
    return true;
  }
}

function rounded({ x, y, width, height }: Rect): Rect {
  return { x: Math.round(x), y: Math.round(y), width, height };
}
