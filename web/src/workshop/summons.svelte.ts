import { untrack } from "svelte";
import type { BoardView } from "../board/view.svelte";
import { serverNow } from "../session/clock.svelte";
import { habits } from "../session/habits.svelte";
import type { Session } from "../session/session.svelte";
import type { Call } from "./registers";
import type { Workshop } from "./workshop.svelte";

/** A call that is further from now is none of this moment: the person came later, or a program
 * wrote it, in milliseconds. */
const FRESH_MS = 20_000;

/** Somebody asks everyone to look at a place: the window goes there unless the person is busy. */
export class Summons {
  /** The call that is shown. */
  call: Call | undefined = $state.raw();
  /** Where the window was before it went; `undefined`: it did not go. */
  #back: { x: number; y: number; scale: number } | undefined = $state.raw();
  #seen = "";

  readonly went = $derived(this.#back !== undefined);

  constructor(
    private readonly session: Session,
    private readonly view: BoardView,
    workshop: Workshop,
  ) {
    $effect(() => {
      const { call } = workshop;
      if (call === undefined || session.phase !== "open") return;
      untrack(() => this.#hear(call));
    });
  }

  go(): void {
    if (this.call === undefined) return;
    const { camera } = this.view;
    this.#back = { x: camera.x, y: camera.y, scale: camera.scale };
    const { x, y, width, height } = this.call.sight;
    const scale = Math.min(camera.width / width, camera.height / height);
    camera.show({ x: x + width / 2, y: y + height / 2 }, scale);
  }

  goBack(): void {
    if (this.#back !== undefined) Object.assign(this.view.camera, this.#back);
    this.dismiss();
  }

  dismiss(): void {
    this.call = undefined;
    this.#back = undefined;
  }

  #hear(call: Call): void {
    const name = `${call.author} ${call.at}`;
    if (name === this.#seen) return;
    this.#seen = name;
    const now = serverNow();
    const isOwn = call.author === this.session.author || this.session.siblings.authors.has(call.author);
    if (isOwn || now === undefined || Math.abs(now - call.at) > FRESH_MS) return;
    this.dismiss();
    this.call = call;
    // A window that jumps under writing or dragging hands would lose what they do.
    const isBusy = this.view.editing !== null || [...this.view.selected].some((id) => this.session.notes.get(id)?.held != null);
    if (!habits.stay && !isBusy) this.go();
  }
}
