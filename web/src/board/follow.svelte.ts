import { untrack } from "svelte";
import type { Person } from "../session/note.svelte";
import type { Session } from "../session/session.svelte";
import type { Point } from "./camera.svelte";
import type { BoardView } from "./view.svelte";

/** How near to the window's edge somebody may come before the board goes along, in shares. */
const MARGIN = 0.28;

/** The window goes where somebody else is, until this person moves the board. */
export class Follow {
  #author: number | null = $state(null);
  /** Where the camera was put last: elsewhere it was this person's doing. */
  #put = { x: 0, y: 0, scale: 0 };

  /** Who is followed. */
  readonly person: Person | undefined = $derived.by(() =>
    this.session.others.find(({ author }) => author === this.#author),
  );

  constructor(
    private readonly session: Session,
    private readonly view: BoardView,
  ) {
    $effect(() => this.#go());
  }

  start(author: number): void {
    const { x, y, scale } = this.view.camera;
    this.#put = { x, y, scale };
    this.#author = author;
  }

  /** `false`: nobody was followed. */
  stop(): boolean {
    const followed = this.#author !== null;
    this.#author = null;
    return followed;
  }

  #go(): void {
    if (this.#author === null) return;
    const { camera } = this.view;
    const { person } = this;
    const isMoved = camera.x !== this.#put.x || camera.y !== this.#put.y || camera.scale !== this.#put.scale;
    if (person === undefined || isMoved) {
      this.#author = null;
      return;
    }
    const at = this.#placeOf(person);
    if (at === undefined) return;
    untrack(() => {
      const margin = Math.min(camera.width, camera.height) * MARGIN;
      camera.reveal({ ...at, width: 0, height: 0 }, margin);
      this.#put = { x: camera.x, y: camera.y, scale: camera.scale };
    });
  }

  /** At the pointer; without one, at the note that is being written. */
  #placeOf({ cursor, editing }: Person): Point | undefined {
    if (cursor !== null) return cursor;
    const rect = editing === null ? undefined : this.session.notes.get(editing)?.rect;
    return rect === undefined ? undefined : { x: rect.x + rect.width / 2, y: rect.y + rect.height / 2 };
  }
}
