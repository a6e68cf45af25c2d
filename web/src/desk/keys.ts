import type { BoardView } from "../board/view.svelte";
import type { Session } from "../session/session.svelte";

/** How far an arrow key moves a note, in board units; with Shift. */
const STEP = 10;
const STEP_FAR = 100;
/** How far an arrow key pans the board, in pixels. */
const PAN = 80;
const ZOOM_STEP = 1.25;

export interface KeyActions {
  add(): void;
  remove(id: string): void;
  help(): void;
  /** Gives up a drag; `false` if there is none. */
  abort(): boolean;
}

/** The board's keys; what is typed into a field never comes here. */
export class BoardKeys {
  constructor(
    private readonly session: Session,
    private readonly view: BoardView,
    private readonly actions: KeyActions,
  ) {}

  down(event: KeyboardEvent): void {
    const target = event.target as Element;
    if (target.closest("input, textarea, dialog") !== null) return;
    // Enter and Space belong to a focused button or link.
    const onControl = target.closest("button, a") !== null;
    if (event.ctrlKey || event.metaKey) {
      if (this.#command(event)) event.preventDefault();
    } else if (!event.altKey && !(onControl && event.key === "Enter") && this.#key(event)) {
      event.preventDefault();
    }
  }

  #command(event: KeyboardEvent): boolean {
    if (!this.session.canEdit) return false;
    // By position as well: layouts without Latin letters have the same keys.
    if (event.key.toLowerCase() === "z" || event.code === "KeyZ") {
      if (event.shiftKey) this.session.redo();
      else this.session.undo();
      return true;
    }
    if (event.key.toLowerCase() === "y" || event.code === "KeyY") {
      this.session.redo();
      return true;
    }
    return false;
  }

  #key(event: KeyboardEvent): boolean {
    return this.#look(event) || (this.session.canEdit && this.#change(event));
  }

  /** Keys that change nothing but what is seen. */
  #look(event: KeyboardEvent): boolean {
    const { camera } = this.view;
    switch (event.key) {
      case "Escape":
        if (!this.actions.abort()) {
          (document.activeElement as HTMLElement | null)?.blur();
          this.view.select(null);
        }
        return true;
      case "+":
      case "=":
        camera.zoomCenter(ZOOM_STEP);
        return true;
      case "-":
        camera.zoomCenter(1 / ZOOM_STEP);
        return true;
      case "0":
        camera.zoomCenter(1 / camera.scale);
        return true;
      case "1":
        camera.fit([...this.session.notes.values()].map((note) => note.rect));
        return true;
      case "?":
        this.actions.help();
        return true;
    }
    const way = arrow(event.key);
    if (way === undefined || (this.view.selected !== null && this.session.canEdit)) return false;
    camera.panBy(-way.x * PAN, -way.y * PAN);
    return true;
  }

  #change(event: KeyboardEvent): boolean {
    if (event.key.toLowerCase() === "n" || event.code === "KeyN") {
      this.actions.add();
      return true;
    }
    const id = this.view.selected;
    const note = id === null ? undefined : this.session.notes.get(id);
    if (id === null || note === undefined) return false;
    const way = arrow(event.key);
    if (way !== undefined) {
      const step = event.shiftKey ? STEP_FAR : STEP;
      const to = { x: note.place.x + way.x * step, y: note.place.y + way.y * step };
      this.session.move(id, to);
      this.view.camera.reveal({ ...note.rect, ...to });
      return true;
    }
    switch (event.key) {
      case "Enter":
      case "F2":
        this.view.edit(id, note.rect);
        return true;
      case "Delete":
      case "Backspace":
        this.actions.remove(id);
        return true;
      case "]":
        this.session.raise(id);
        return true;
      case "[":
        this.session.lower(id);
        return true;
    }
    return false;
  }
}

function arrow(key: string): { x: number; y: number } | undefined {
  switch (key) {
    case "ArrowLeft":
      return { x: -1, y: 0 };
    case "ArrowRight":
      return { x: 1, y: 0 };
    case "ArrowUp":
      return { x: 0, y: -1 };
    case "ArrowDown":
      return { x: 0, y: 1 };
  }
  return undefined;
}
