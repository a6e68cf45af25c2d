import { Camera, type Rect } from "./camera.svelte";
import { PAPERS } from "./palette";

/** What this window shows and what is chosen in it; none of it is shared. */
export class BoardView {
  readonly camera = new Camera();
  /** The note that keys and the note's tools act on. */
  selected: string | null = $state(null);
  /** The note being typed into. */
  editing: string | null = $state(null);
  /** The paper of the next new note. */
  paper: string = $state(PAPERS[0]!.color);

  select(id: string | null): void {
    if (this.editing !== id) this.editing = null;
    this.selected = id;
  }

  edit(id: string, rect: Rect | undefined): void {
    this.selected = id;
    this.editing = id;
    if (rect !== undefined) this.camera.approach(rect);
  }
}
