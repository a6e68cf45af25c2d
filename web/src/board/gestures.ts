import type { Point, Rect } from "./camera.svelte";
import type { BoardView } from "./view.svelte";

/** Movement up to which a press is still a click, in screen pixels. */
const CLICK_SLOP = 4;
const TOUCH_SLOP = 9;
/** Two presses make a double one within this time and distance. */
const DOUBLE_MS = 350;
const DOUBLE_DISTANCE = 24;
/** A wheel at rest this long begins a new gesture. */
const WHEEL_REST_MS = 180;
/** A mouse's notch is at least this many pixels; a touchpad starts below it. */
const NOTCH = 100;

const SIDE_MIN = 60;
const SIDE_MAX = 4000;

/** What the board does when a gesture says so. */
export interface GestureActions {
  readonly editable: boolean;
  rect(id: string): Rect | undefined;
  /** A note follows the hand. */
  drag(id: string, to: Point): void;
  drop(id: string): void;
  stretch(id: string, to: { width: number; height: number }): void;
  release(id: string): void;
  /** The note goes back to where the gesture took it. */
  cancel(id: string): void;
  create(at: Point): void;
  edit(id: string): void;
  pointAt(at: Point | null): void;
}

type Mode =
  | { kind: "none" }
  | { kind: "press"; note: string | null; at: Point; slop: number; grip: Point }
  | { kind: "pan" }
  | { kind: "drag"; note: string; grip: Point }
  | { kind: "resize"; note: string; from: Rect; at: Point }
  | { kind: "pinch"; distance: number; middle: Point };

/** Turns pointers and the wheel into what is meant: pan, zoom, drag, resize, click. */
export class Gestures {
  #pointers = new Map<number, Point>();
  #mode: Mode = { kind: "none" };
  #lastClick = { time: -Infinity, at: { x: 0, y: 0 }, note: null as string | null };
  #wheel = { time: -Infinity, zooms: false };

  constructor(
    private readonly view: BoardView,
    private readonly actions: GestureActions,
  ) {}

  down(event: PointerEvent): void {
    const target = event.target as Element;
    const handle = target.closest<HTMLElement>("[data-resize]")?.dataset["resize"];
    const paper = target.closest<HTMLElement>("[data-note]");
    const note = handle ?? paper?.dataset["note"] ?? null;
    if (target.closest("textarea") !== null && this.#pointers.size === 0) return;
    if (event.button === 2) return;
    const at = { x: event.clientX, y: event.clientY };
    this.#pointers.set(event.pointerId, at);
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    if (this.#pointers.size === 2) {
      this.#giveUp();
      this.#mode = { kind: "pinch", ...this.#span() };
      return;
    }
    if (this.#pointers.size > 2) return;
    if (event.button === 1) {
      event.preventDefault();
      this.#mode = { kind: "pan" };
      return;
    }
    const rect = note === null ? undefined : this.actions.rect(note);
    if (note !== null && rect !== undefined) {
      // Focus by hand: with a captured pointer the browser's own choice is the board.
      event.preventDefault();
      paper?.focus({ preventScroll: true });
      if (handle !== undefined && this.actions.editable) {
        this.#mode = { kind: "resize", note, from: rect, at: this.view.camera.toBoard(at) };
        return;
      }
    }
    const grip = this.view.camera.toBoard(at);
    this.#mode = {
      kind: "press",
      note,
      at,
      slop: event.pointerType === "touch" ? TOUCH_SLOP : CLICK_SLOP,
      grip: rect === undefined ? grip : { x: grip.x - rect.x, y: grip.y - rect.y },
    };
  }

  move(event: PointerEvent): void {
    const at = { x: event.clientX, y: event.clientY };
    const before = this.#pointers.get(event.pointerId);
    if (event.pointerType !== "touch" || before !== undefined) {
      this.actions.pointAt(this.view.camera.toBoard(at));
    }
    if (before === undefined) return;
    this.#pointers.set(event.pointerId, at);
    const mode = this.#mode;
    if (mode.kind === "press" && Math.hypot(at.x - mode.at.x, at.y - mode.at.y) > mode.slop) {
      this.#mode =
        mode.note !== null && this.actions.editable
          ? { kind: "drag", note: mode.note, grip: mode.grip }
          : { kind: "pan" };
      // Nothing of the way so far is lost.
      if (this.#mode.kind === "pan") this.view.camera.panBy(at.x - mode.at.x, at.y - mode.at.y);
      else this.#follow(at);
    } else if (mode.kind === "pan") {
      this.view.camera.panBy(at.x - before.x, at.y - before.y);
    } else if (mode.kind === "drag") {
      this.#follow(at);
    } else if (mode.kind === "resize") {
      const now = this.view.camera.toBoard(at);
      const side = (value: number): number =>
        Math.round(Math.min(SIDE_MAX, Math.max(SIDE_MIN, value)));
      this.actions.stretch(mode.note, {
        width: side(mode.from.width + now.x - mode.at.x),
        height: side(mode.from.height + now.y - mode.at.y),
      });
    } else if (mode.kind === "pinch") {
      const next = this.#span();
      const { camera } = this.view;
      camera.panBy(next.middle.x - mode.middle.x, next.middle.y - mode.middle.y);
      camera.zoomAt(next.middle, next.distance / mode.distance);
      this.#mode = { kind: "pinch", ...next };
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
    if (mode.kind === "drag") this.actions.drop(mode.note);
    else if (mode.kind === "resize") this.actions.release(mode.note);
    else if (mode.kind === "press") this.#click(mode.note, mode.at);
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
      const notch = event.deltaMode !== WheelEvent.DOM_DELTA_PIXEL || Math.abs(dy) >= NOTCH;
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

  /** Esc during a drag puts the note back. */
  abort(): boolean {
    const busy = this.#mode.kind === "drag" || this.#mode.kind === "resize";
    if (busy) {
      this.#giveUp();
      this.#mode = { kind: "none" };
    }
    return busy;
  }

  #follow(at: Point): void {
    const mode = this.#mode;
    if (mode.kind !== "drag") return;
    const board = this.view.camera.toBoard(at);
    this.actions.drag(mode.note, {
      x: Math.round(board.x - mode.grip.x),
      y: Math.round(board.y - mode.grip.y),
    });
  }

  #click(note: string | null, at: Point): void {
    const last = this.#lastClick;
    const time = performance.now();
    const double =
      time - last.time < DOUBLE_MS &&
      last.note === note &&
      Math.hypot(at.x - last.at.x, at.y - last.at.y) < DOUBLE_DISTANCE;
    this.#lastClick = { time: double ? -Infinity : time, at, note };
    if (!double) this.view.select(note);
    else if (note !== null) this.actions.edit(note);
    else this.actions.create(this.view.camera.toBoard(at));
  }

  #giveUp(): void {
    const mode = this.#mode;
    if (mode.kind === "drag" || mode.kind === "resize") this.actions.cancel(mode.note);
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
