import { edge, neighbour } from "../board/walk";
import { habits } from "../session/habits.svelte";
import type { BoardView } from "../board/view.svelte";
import type { Actions } from "../board/actions.svelte";
import type { Session } from "../session/session.svelte";

/** How far an arrow key moves a note, or its corner, in board units; with Shift. */
const STEP = 10;
const STEP_FAR = 100;
/** How far an arrow key pans the board, in pixels. */
const PAN = 80;
const ZOOM_STEP = 1.25;
/** Keys that work on the note that has the keys, if none is selected. */
const WORKS_HERE = ["Enter", "F2", "Delete", "Backspace", "]", "[", "l"];

/** What keys do besides work on notes. */
export interface KeyActions {
  help(): void;
  find(): void;
  /** Gives a note a vote, or takes one back; `false`: there is no voting. */
  vote(id: string, by: 1 | -1): boolean;
  /** Gives up a drag; `false` if there is none. */
  abort(): boolean;
}

/** The board's keys; what is typed into a field never comes here. */
export class BoardKeys {
  constructor(
    private readonly session: Session,
    private readonly view: BoardView,
    private readonly actions: Actions,
    private readonly page: KeyActions,
  ) {}

  down(event: KeyboardEvent): void {
    const target = event.target as Element;
    if (target.closest("input, textarea, dialog") !== null) return;
    if (this.view.deaf) {
      if (event.key === "Escape") this.view.deaf = false;
      return;
    }
    // A button or a field elsewhere has the keys while it has the focus; the tools of the
    // selected notes leave all but their own to the notes.
    const onBoard = target === document.body || target.closest(".board") !== null;
    const onTools = target.closest("[data-tools]") !== null;
    const own = target.closest("button, a") !== null && ["Enter", " "].includes(event.key);
    if (event.ctrlKey || event.metaKey) {
      if (this.#command(event)) event.preventDefault();
    } else if (event.key.length === 1 && event.key !== " " && !habits.letters) {
      // A voice that dictates words would press these keys.
    } else if (!event.altKey && !own && (onBoard || onTools) && this.#key(event)) {
      event.preventDefault();
    }
  }

  #command(event: KeyboardEvent): boolean {
    const is = (letter: string): boolean => letterOf(event) === letter;
    if (is("a")) {
      this.actions.selectAll();
      return true;
    }
    if (is("f")) {
      this.page.find();
      return true;
    }
    if (!this.session.canEdit) return false;
    if (is("z")) {
      if (event.shiftKey) this.session.redo();
      else this.session.undo();
      return true;
    }
    if (is("y")) {
      this.session.redo();
      return true;
    }
    if (is("d")) {
      this.actions.duplicate();
      return true;
    }
    const way = arrow(event.key);
    if (way === undefined || this.view.selected.size === 0) return false;
    const step = event.shiftKey ? STEP_FAR : STEP;
    this.actions.stretch({ x: way.x * step, y: way.y * step });
    return true;
  }

  #key(event: KeyboardEvent): boolean {
    return this.#look(event) || (this.session.canEdit && this.#change(event));
  }

  /** Keys that change nothing but what is seen. */
  #look(event: KeyboardEvent): boolean {
    const { camera } = this.view;
    switch (event.key) {
      case "Escape":
        if (this.page.abort()) return true;
        // First the selection goes, then the note: the keys stay on the board.
        if (this.view.selected.size === 0 || !isNote(event)) this.view.home();
        this.view.select(null);
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
        this.page.help();
        return true;
    }
    if (letterOf(event) === "m") {
      habits.map = !habits.map;
      return true;
    }
    const moves = this.view.selected.size > 0 && this.session.canEdit;
    const note = isNote(event);
    if (note !== undefined && this.#walk(event, note, moves)) return true;
    const way = arrow(event.key);
    if (way === undefined || moves) return false;
    camera.panBy(-way.x * PAN, -way.y * PAN);
    return true;
  }

  /** From note to note, and into the selection. */
  #walk(event: KeyboardEvent, id: string, moves: boolean): boolean {
    const stops = [...this.session.notes.values()].map((note) => ({ id: note.id, ...note.rect }));
    const from = stops.find((stop) => stop.id === id);
    const way = arrow(event.key);
    if (from === undefined) return false;
    if (event.key === " ") {
      this.view.toggle(id);
      return true;
    }
    if (event.key === "Home" || event.key === "End") {
      const end = edge(event.key === "Home" ? "first" : "last", stops);
      if (end !== undefined) this.view.goTo(end);
      return true;
    }
    if (way === undefined || moves) return false;
    const next = neighbour(from, way, stops);
    if (next !== undefined) this.view.goTo(next);
    return true;
  }

  #change(event: KeyboardEvent): boolean {
    if (letterOf(event) === "n") {
      this.actions.add();
      return true;
    }
    const here = isNote(event);
    const voted = here ?? this.view.only;
    if (letterOf(event) === "v" && voted !== null) return this.page.vote(voted, event.shiftKey ? -1 : 1);
    if (this.view.selected.size === 0 && here !== undefined && WORKS_HERE.includes(event.key.length === 1 ? letterOf(event) : event.key)) {
      this.view.select(here);
    }
    if (this.view.selected.size === 0) return false;
    const way = arrow(event.key);
    if (way !== undefined) {
      const step = event.shiftKey ? STEP_FAR : STEP;
      this.actions.move({ x: way.x * step, y: way.y * step });
      return true;
    }
    const only = this.view.only;
    switch (event.key) {
      case "Enter":
      case "F2":
        if (only !== null) this.actions.write(only);
        return only !== null;
      case "Delete":
      case "Backspace":
        this.actions.remove();
        return true;
      case "]":
        this.actions.raise();
        return true;
      case "[":
        this.actions.lower();
        return true;
    }
    if (letterOf(event) !== "l") return false;
    this.actions.lock();
    return true;
  }
}

/** The note that has the keys. */
function isNote(event: KeyboardEvent): string | undefined {
  const target = event.target as HTMLElement;
  return target.dataset["note"];
}

/** The letter decides; where it is not Latin, the key's place on the keyboard. */
function letterOf(event: KeyboardEvent): string {
  const key = event.key.toLowerCase();
  if (/^[a-z]$/.test(key) || !event.code.startsWith("Key")) return key;
  return event.code.slice(3).toLowerCase();
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
