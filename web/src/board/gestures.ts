import { habits } from "../session/habits.svelte";
import type { Point, Rect } from "./camera.svelte";
import type { BoardView } from "./view.svelte";

/** Movement up to which a press is still a click, in screen pixels. */
const CLICK_SLOP = 4;
const TOUCH_SLOP = 9;
/** Two taps make a double one within this time and distance; of a mouse the system decides. */
const DOUBLE_MS = 400;
const DOUBLE_DISTANCE = 24;
/** A wheel at rest this long begins a new gesture. */
const WHEEL_REST_MS = 180;
/** A mouse's notch is at least this many pixels of the screen, at every zoom of the browser; a touchpad starts below it. */
const NOTCH = 100;

/** Where a drag is nearer than this to the window's edge, in pixels, the board moves along. */
const EDGE = 40;
/** How fast it does at the very edge, in pixels a second. */
const EDGE_SPEED = 1100;
/** A longer frame counts as this long, in milliseconds: nobody wants a leap. */
const FRAME_MS_MAX = 50;

/** What the board does when a gesture says so. */
export interface GestureActions {
  readonly editable: boolean;
  /** The highest note at a point of the board. */
  at(point: Point): string | null;
  /** Whether the hand may take the note. */
  isFree(id: string): boolean;
  isArea(id: string): boolean;
  /** The hand takes the corner of the selected notes. */
  grip(): void;
  /** The hand takes the selected notes, and what lies in the areas among them; `lead` is under the pointer. */
  take(lead: string, copies: boolean): void;
  /** They are this far from where they were taken. */
  move(by: Point, snaps: boolean): void;
  drop(): void;
  stretch(by: Point): void;
  release(): void;
  /** All go back to where they were taken. */
  cancel(): void;
  /** A rectangle is drawn over the board, around what is to be selected; `null`: no more. */
  surround(rect: Rect | null, adds: boolean): void;
  create(at: Point): void;
  /** A note is opened by a second click here, in board units. */
  edit(id: string, at: Point): void;
  pointAt(at: Point | null): void;
}

interface Press {
  kind: "press";
  note: string | null;
  at: Point;
  slop: number;
  grip: Point;
  /** Shift, Ctrl or Cmd: adds to the selection, or draws a rectangle. */
  adds: boolean;
}

type Mode =
  | { kind: "none" }
  | Press
  | { kind: "pan" }
  | { kind: "drag"; grip: Point }
  | { kind: "resize"; grip: Point }
  | { kind: "surround"; grip: Point; adds: boolean }
  | { kind: "pinch"; distance: number; middle: Point };

/** Turns pointers and the wheel into what is meant: pan, zoom, drag, resize, click. */
export class Gestures {
  #pointers = new Map<number, Point>();
  #mode: Mode = { kind: "none" };
  #lastClick = { time: -Infinity, at: { x: 0, y: 0 }, note: null as string | null };
  /** The last two clicks of a mouse were on one thing. */
  #same = false;
  #wheel = { time: -Infinity, zooms: false };
  /** Where a drag is, and the frame in which the board moves along with it. */
  #edge: { at: Point; frame: number | undefined } = { at: { x: 0, y: 0 }, frame: undefined };
  /** Ctrl or Cmd is down: a drag holds to other notes, or does not where it would. */
  #command = false;
  /** The space bar is down: a drag pans wherever it begins. */
  pans = false;

  constructor(
    private readonly view: BoardView,
    private readonly actions: GestureActions,
  ) {}

  down(event: PointerEvent): void {
    this.view.deaf = false;
    const target = event.target as Element;
    const handle = target.closest<HTMLElement>("[data-resize]");
    const paper = target.closest<HTMLElement>("[data-note]");
    if (target.closest("textarea, button, a") !== null && this.#pointers.size === 0) return;
    if (event.button === 2) return;
    const at = { x: event.clientX, y: event.clientY };
    const grip = this.view.camera.toBoard(at);
    // What is no element is drawn by the overview: found by its place.
    const note = paper?.dataset["note"] ?? this.actions.at(grip);
    this.#pointers.set(event.pointerId, at);
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    if (this.#pointers.size === 2) {
      this.#giveUp();
      this.#mode = { kind: "pinch", ...this.#span() };
      return;
    }
    if (this.#pointers.size > 2) return;
    if (event.button === 1 || this.pans) {
      event.preventDefault();
      this.#mode = { kind: "pan" };
      return;
    }
    if (handle !== null && this.actions.editable) {
      event.preventDefault();
      this.actions.grip();
      this.#mode = { kind: "resize", grip };
      return;
    }
    const adds = event.shiftKey || event.ctrlKey || event.metaKey;
    if (note !== null) {
      // Focus by hand: with a captured pointer the browser's own choice is the board.
      event.preventDefault();
      if (!adds && !this.view.selected.has(note)) paper?.focus({ preventScroll: true });
    }
    const slop = event.pointerType === "touch" ? TOUCH_SLOP : CLICK_SLOP;
    this.#mode = { kind: "press", note, at, slop, grip, adds };
  }

  move(event: PointerEvent): void {
    const at = { x: event.clientX, y: event.clientY };
    const before = this.#pointers.get(event.pointerId);
    if (event.pointerType !== "touch" || before !== undefined) {
      this.actions.pointAt(this.view.camera.toBoard(at));
    }
    if (before === undefined) return;
    this.#pointers.set(event.pointerId, at);
    this.#command = event.ctrlKey || event.metaKey;
    const mode = this.#mode;
    if (mode.kind === "press" && Math.hypot(at.x - mode.at.x, at.y - mode.at.y) > mode.slop) {
      this.#mode = this.#begin(mode, event.altKey);
      // Nothing of the way so far is lost.
      if (this.#mode.kind === "pan") this.view.camera.panBy(at.x - mode.at.x, at.y - mode.at.y);
      else this.#draw(at);
    } else if (mode.kind === "pan") {
      this.view.camera.panBy(at.x - before.x, at.y - before.y);
    } else if (mode.kind === "pinch") {
      const next = this.#span();
      const { camera } = this.view;
      camera.panBy(next.middle.x - mode.middle.x, next.middle.y - mode.middle.y);
      camera.zoomAt(next.middle, next.distance / mode.distance);
      this.#mode = { kind: "pinch", ...next };
    } else {
      this.#draw(at);
    }
  }

  up(event: PointerEvent): void {
    if (!this.#pointers.delete(event.pointerId)) return;
    const mode = this.#mode;
    if (mode.kind === "pinch") {
      // The finger that stays pans on; it never turns into a drag.
      this.#mode = this.#pointers.size > 0 ? { kind: "pan" } : { kind: "none" };
      return;
    }
    this.#mode = { kind: "none" };
    if (mode.kind === "drag") this.actions.drop();
    else if (mode.kind === "resize") this.actions.release();
    else if (mode.kind === "surround") this.actions.surround(null, mode.adds);
    else if (mode.kind === "press") this.#click(mode, event.timeStamp, event.pointerType === "touch");
    if (event.pointerType === "touch") this.actions.pointAt(null);
  }

  /** The browser took the pointer away. */
  cancel(event: PointerEvent): void {
    if (!this.#pointers.delete(event.pointerId)) return;
    this.#giveUp();
    this.#mode = { kind: "none" };
  }

  leave(): void {
    if (this.#pointers.size === 0) this.actions.pointAt(null);
  }

  wheel(event: WheelEvent): void {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const [dx, dy] = [event.deltaX * lines, event.deltaY * lines];
    if (event.timeStamp - this.#wheel.time > WHEEL_REST_MS) {
      // A mouse's wheel zooms, two fingers on a touchpad pan: told apart by the first step.
      const notch = event.deltaMode !== WheelEvent.DOM_DELTA_PIXEL || Math.abs(dy) * devicePixelRatio >= NOTCH;
      this.#wheel.zooms = dx === 0 && notch;
    }
    this.#wheel.time = event.timeStamp;
    const { camera } = this.view;
    if (event.ctrlKey || event.metaKey || (this.#wheel.zooms && !event.shiftKey)) {
      const step = Math.max(-60, Math.min(60, dy));
      // A pinch on a touchpad comes as small steps with the control key.
      const rate = Math.abs(dy) < 50 ? 0.01 : 0.0035;
      camera.zoomAt({ x: event.clientX, y: event.clientY }, Math.exp(-step * rate));
    } else if (event.shiftKey && dx === 0) {
      camera.panBy(-dy, 0);
    } else {
      camera.panBy(-dx, -dy);
    }
  }

  /** Esc during a drag puts the notes back. */
  abort(): boolean {
    const busy = isDrag(this.#mode);
    if (busy) {
      this.#giveUp();
      this.#mode = { kind: "none" };
    }
    return busy;
  }

  /** What a press becomes when the pointer moves on. */
  #begin(press: Press, alt: boolean): Mode {
    const { note, grip, adds } = press;
    // A rectangle may be drawn around notes that lie in an area.
    const ground = note === null || (adds && this.actions.isArea(note));
    if (ground) return adds ? { kind: "surround", grip, adds } : { kind: "pan" };
    if (!this.actions.editable) return { kind: "pan" };
    if (!this.view.selected.has(note)) {
      if (adds) this.view.toggle(note);
      else this.view.select(note);
    }
    if (!alt && !this.actions.isFree(note)) return { kind: "pan" };
    this.actions.take(note, alt);
    return { kind: "drag", grip };
  }

  /** A drag is here now. At the window's edge it takes the board along. */
  #draw(at: Point): void {
    if (!isDrag(this.#mode)) return;
    this.#edge.at = at;
    this.#follow(this.view.camera.toBoard(at));
    if (this.#edge.frame !== undefined || !this.#isAtEdge()) return;
    let last = performance.now();
    const step = (now: number): void => {
      this.#edge.frame = undefined;
      if (!isDrag(this.#mode) || !this.#isAtEdge()) return;
      const way = (EDGE_SPEED * Math.min(FRAME_MS_MAX, Math.max(0, now - last))) / 1000;
      last = now;
      const { camera } = this.view;
      const { at } = this.#edge;
      camera.panBy(-way * beyond(at.x, camera.width), -way * beyond(at.y, camera.height));
      this.#follow(camera.toBoard(at));
      this.#edge.frame = requestAnimationFrame(step);
    };
    this.#edge.frame = requestAnimationFrame(step);
  }

  #isAtEdge(): boolean {
    const { at } = this.#edge;
    return beyond(at.x, this.view.camera.width) !== 0 || beyond(at.y, this.view.camera.height) !== 0;
  }

  #follow(at: Point): void {
    const mode = this.#mode;
    if (!isDrag(mode)) return;
    const by = { x: at.x - mode.grip.x, y: at.y - mode.grip.y };
    if (mode.kind === "drag") this.actions.move(by, habits.snap !== this.#command);
    else if (mode.kind === "resize") this.actions.stretch(by);
    else {
      const rect = {
        x: Math.min(at.x, mode.grip.x),
        y: Math.min(at.y, mode.grip.y),
        width: Math.abs(by.x),
        height: Math.abs(by.y),
      };
      this.actions.surround(rect, mode.adds);
    }
  }

  #click({ note, at, adds }: Press, time: number, touch: boolean): void {
    if (adds) {
      if (note !== null) this.view.toggle(note);
      return;
    }
    const last = this.#lastClick;
    this.#same = last.note === note;
    const double =
      touch &&
      time - last.time < DOUBLE_MS &&
      this.#same &&
      Math.hypot(at.x - last.at.x, at.y - last.at.y) < DOUBLE_DISTANCE;
    this.#lastClick = { time: double ? -Infinity : time, at, note };
    if (double) this.#open(note, at);
    else this.view.select(note);
  }

  /** The second click of a mouse, as fast as the system wants it. */
  double(event: MouseEvent): void {
    if ((event as PointerEvent).pointerType === "touch" || this.view.editing !== null) return;
    const { at, note } = this.#lastClick;
    if (this.#same && event.button === 0) this.#open(note, at);
  }

  #open(note: string | null, at: Point): void {
    const place = this.view.camera.toBoard(at);
    if (note !== null) this.actions.edit(note, place);
    else this.actions.create(place);
  }

  #giveUp(): void {
    const { kind } = this.#mode;
    if (kind === "drag" || kind === "resize") this.actions.cancel();
    if (kind === "surround") this.actions.surround(null, true);
  }

  /** How far apart the first two pointers are, and the point between them. */
  #span(): { distance: number; middle: Point } {
    const [a, b] = [...this.#pointers.values()] as [Point, Point];
    return {
      distance: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)),
      middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 },
    };
  }
}

/** Something is held or drawn between the press and the pointer. */
function isDrag(mode: Mode): mode is Extract<Mode, { kind: "drag" | "resize" | "surround" }> {
  return mode.kind === "drag" || mode.kind === "resize" || mode.kind === "surround";
}

/** How far a place is into the edge of a window of this size: from -1, its start, to 1, its end. */
function beyond(at: number, size: number): number {
  if (at < EDGE) return Math.max(-1, at / EDGE - 1);
  if (at > size - EDGE) return Math.min(1, (at - size) / EDGE + 1);
  return 0;
}
