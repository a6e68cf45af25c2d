import { untrack } from "svelte";
import type { Note } from "../session/note.svelte";
import type { Session } from "../session/session.svelte";
import { inside, meet, type Point, type Rect } from "./camera.svelte";
import type { BoardView } from "./view.svelte";

/** Below this scale the words of a note cannot be read. */
const FAR = 0.25;
/** Up to this many notes in sight are elements from afar too, for keys and screen readers. */
const FAR_ELEMENTS_MAX = 60;
/** No more notes than this are elements at once. */
const ELEMENTS_MAX = 600;
/** Around the window, in windows: notes become elements before they come into sight. */
const MARGIN = 0.3;
/** When less of the margin than this is left, the region moves on. */
const MARGIN_LEFT = 0.1;
/** Notes that become elements, or cease to be, in one frame: as many as take some milliseconds. */
const MOUNTED_PER_FRAME = 5;
const UNMOUNTED_PER_FRAME = 15;

/**
 * Which notes are elements of the page: those in or near sight. All others are drawn as
 * plain rectangles where they are in sight at all, by the overview.
 */
export class Mounted {
  /** Notes that are elements, in the order in which they were made. */
  notes: Note[] = $state.raw([]);
  /** What part of the board they are taken from. */
  #region: Rect = $state.raw({ x: 0, y: 0, width: 0, height: 0 });
  #ids: ReadonlySet<string> = new Set();
  #frame: number | undefined;

  /** All notes, the lowest first. */
  readonly pile = $derived.by(() => {
    this.session.layout;
    const pile = untrack(() => [...this.session.notes.values()]);
    return pile.sort((a, b) => untrack(() => layer(a) - layer(b) || a.record.z - b.record.z || (a.id < b.id ? -1 : 1)));
  });

  /** Notes that shall be elements. */
  readonly #wanted: Note[] = $derived.by(() => {
    const region = this.#region;
    const { editing, selected, active } = this.view;
    const far = this.view.camera.scale < FAR;
    this.session.layout;
    return untrack(() => {
      const all = [...this.session.notes.values()];
      const near = all.filter((note) => meet(note.rect, region));
      if (near.length <= (far ? FAR_ELEMENTS_MAX : ELEMENTS_MAX)) {
        if (editing === null && selected.size === 0 && active === null) return near;
        const kept = keep(editing, selected, active);
        const ids = new Set(near.map((note) => note.id));
        return all.filter((note) => ids.has(note.id) || kept(note.id));
      }
      return all.filter((note) => keep(editing, selected, active)(note.id));
    });
  });

  constructor(
    private readonly session: Session,
    private readonly view: BoardView,
  ) {
    $effect.pre(() => this.#look());
    $effect.pre(() => {
      const wanted = this.#wanted;
      untrack(() => this.#approach(wanted, true));
    });
    $effect(() => () => {
      if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    });
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** The highest note at a point of the board. */
  at(point: Point): string | null {
    const hit = this.pile.findLast((note) => inside(point, note.rect));
    return hit?.id ?? null;
  }

  /** Moves the region along with the window. */
  #look(): void {
    const { camera } = this.view;
    const { width, height } = camera;
    const from = camera.toBoard({ x: 0, y: 0 });
    const shown = { ...from, width: width / camera.scale, height: height / camera.scale };
    untrack(() => {
      const region = this.#region;
      const left = grown(shown, MARGIN_LEFT);
      const fits = region.width < shown.width * (1 + 4 * MARGIN);
      const covers =
        region.x <= left.x &&
        region.y <= left.y &&
        region.x + region.width >= left.x + left.width &&
        region.y + region.height >= left.y + left.height;
      if (!covers || !fits) this.#region = grown(shown, MARGIN);
    });
  }

  /** Goes a step towards what is wanted: a whole screen of notes at once would be felt. */
  #approach(wanted: readonly Note[], first: boolean): void {
    const next = new Set(wanted);
    const now = new Set(this.notes);
    const { camera } = this.view;
    const middle = camera.center();
    const coming = wanted.filter((note) => !now.has(note));
    if (coming.length > MOUNTED_PER_FRAME) {
      const far = (note: Note): number => {
        const { x, y, width, height } = note.rect;
        return Math.hypot(x + width / 2 - middle.x, y + height / 2 - middle.y);
      };
      coming.sort((a, b) => far(a) - far(b));
    }
    const must = keep(this.view.editing, this.view.selected, this.view.active);
    // The wheel's events come beside the frames: each would take as much as a frame may.
    const waits = first && (this.#frame !== undefined || coming.length > MOUNTED_PER_FRAME);
    const added = new Set(
      coming.filter((note, at) => (!waits && at < MOUNTED_PER_FRAME) || (first && must(note.id))),
    );
    let spare = waits ? 0 : UNMOUNTED_PER_FRAME;
    const alive = (note: Note): boolean => this.session.notes.get(note.id) === note;
    const stays = new Set(
      this.notes.filter((note) => next.has(note) || (alive(note) && spare-- <= 0)),
    );
    if (added.size > 0 || stays.size < this.notes.length) {
      const both = (note: Note): boolean => stays.has(note) || added.has(note);
      this.notes = [...this.session.notes.values()].filter(both);
      this.#ids = new Set(this.notes.map((note) => note.id));
    }
    const done = this.notes.length === wanted.length && added.size === coming.length;
    if (done || this.#frame !== undefined) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#approach(this.#wanted, false);
    });
  }
}

/** Areas lie under all notes. */
function layer(note: Note): number {
  return note.isArea ? 0 : 1;
}

/** Notes that are elements wherever they are: keys act on them. */
function keep(
  editing: string | null,
  selected: ReadonlySet<string>,
  active: string | null,
): (id: string) => boolean {
  const one = selected.size === 1 ? [...selected][0] : null;
  return (id) => id === editing || id === one || id === active;
}

function grown(rect: Rect, by: number): Rect {
  const [dx, dy] = [rect.width * by, rect.height * by];
  return {
    x: rect.x - dx,
    y: rect.y - dy,
    width: rect.width + 2 * dx,
    height: rect.height + 2 * dy,
  };
}
