import { Camera, type Rect } from "./camera.svelte";
import { PAPERS } from "./palette";
import type { Guide } from "./snap";

const NOBODY: ReadonlySet<string> = new Set();

/** What this window shows and what is chosen in it; none of it is shared. */
export class BoardView {
  readonly camera = new Camera();
  /** The notes that keys and the note's tools act on. */
  selected: ReadonlySet<string> = $state.raw(NOBODY);
  /** The selected note, if it is one alone. */
  readonly only = $derived(this.selected.size === 1 ? [...this.selected][0]! : null);
  /** The note at which the keyboard comes onto the board. */
  active: string | null = $state(null);
  /** The note being typed into. */
  editing: string | null = $state(null);
  /** Lines that a drag holds to. */
  guides: readonly Guide[] = $state.raw([]);
  /** Gives the keys to the board, when what had them is gone. */
  home: () => void = () => undefined;
  /** Gives the keys to a note, wherever it lies. */
  goTo: (id: string) => void = () => undefined;
  /** Letters are no commands now: the note they were meant for is gone. */
  deaf = false;
  /** The paper of the next new note. */
  paper: string = $state(PAPERS[0]!.color);

  select(id: string | null): void {
    this.selectAll(id === null ? [] : [id]);
  }

  selectAll(ids: Iterable<string>): void {
    const next = new Set(ids);
    if (this.editing !== null && !(next.size === 1 && next.has(this.editing))) this.editing = null;
    if (same(next, this.selected)) return;
    this.selected = next;
  }

  /** Adds a note to the selection, or takes it out. */
  toggle(id: string): void {
    const next = new Set(this.selected);
    if (!next.delete(id)) next.add(id);
    this.selectAll(next);
  }

  edit(id: string, rect: Rect | undefined): void {
    this.selectAll([id]);
    this.editing = id;
    if (rect !== undefined) this.camera.approach(rect);
  }
}

function same(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((id) => b.has(id));
}
