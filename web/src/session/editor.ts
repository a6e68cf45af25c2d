import { toasts } from "../ui/toasts.svelte";
import type { Driver } from "./driver";

/** What a text field should show; offsets as JavaScript counts them. */
export interface FieldState {
  text: string;
  start: number;
  end: number;
}

/** Typing into one note. The core carries text and carets across what others do. */
export class TextEditor {
  readonly text: string;
  /** Something was written, be it gone again. */
  typed = false;
  #listener: (() => void) | undefined;

  constructor(
    readonly id: string,
    private readonly driver: Driver,
    private readonly closed: () => void,
  ) {
    this.text = driver.run((core, now) => core.openEditor(now, id));
  }

  /** Calls `listener` when the text was changed by something else than the field. */
  onForeign(listener: () => void): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }

  foreign(): void {
    this.#listener?.();
  }

  /** The field now shows `value`, its caret is at `caret`. */
  input(value: string, caret: number): void {
    this.typed = true;
    try {
      this.driver.run((core, now) => core.editorInput(now, value, caret));
    } catch (error) {
      toasts.show(error instanceof Error ? error.message : String(error));
    }
  }

  /** What the field should show instead, if it lags behind. */
  catchUp(start: number, end: number): FieldState | null {
    const field = this.driver.core.editorCatchUp(start, end);
    if (field === undefined) return null;
    const [text, from, to] = JSON.parse(field) as [string, number, number];
    return { text, start: from, end: to };
  }

  caret(offset: number): void {
    this.driver.run((core, now) => core.caret(now, offset));
  }

  undo(): void {
    this.driver.run((core, now) => core.undo(now));
  }

  redo(): void {
    this.driver.run((core, now) => core.redo(now));
  }

  close(): void {
    this.driver.run((core, now) => core.closeEditor(now));
    this.closed();
  }
}
