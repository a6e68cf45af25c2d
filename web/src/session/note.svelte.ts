import type { Point } from "../board/camera.svelte";

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
}

/** One note on the board: its record, and what people are doing with it now. */
export class Note {
  readonly id: string;
  record: NoteRecord = $state.raw() as NoteRecord;
  /** Where this person's hand holds it, until the drop. */
  held: Point | null = $state.raw(null);
  /** Its size under this person's hand. */
  stretched: { width: number; height: number } | null = $state.raw(null);
  /** Where somebody else's hand holds it. */
  led: Point | null = $state.raw(null);

  readonly place = $derived(this.held ?? this.led ?? this.record);
  readonly size = $derived(this.stretched ?? this.record);

  /** `fresh`: it came while the desk was open, and may settle in sight. */
  constructor(
    record: NoteRecord,
    readonly fresh: boolean,
  ) {
    this.id = record.id;
    this.record = record;
  }

  get rect(): { x: number; y: number; width: number; height: number } {
    return {
      x: this.place.x,
      y: this.place.y,
      width: this.size.width,
      height: this.size.height,
    };
  }
}

/** Someone else on the desk. */
export interface Person {
  author: number;
  name: string;
  color: string;
  cursor: Point | null;
  /** The note being typed into. */
  editing: string | null;
}
