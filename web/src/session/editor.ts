import { toasts } from "../ui/toasts.svelte";
import { text as words } from "../text/text.svelte";
import { copyText } from "../ui/clipboard";
import type { Driver } from "./driver";
import { refusalIn, refusalWords } from "./refusal";

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

  /** The field now shows `value`, its caret is at `caret`. Answers what it has to show instead. */
  input(value: string, caret: number): FieldState | undefined {
    this.typed = true;
    try {
      this.driver.run((core, now) => core.editorInput(now, value, caret));
    } catch (error) {
      const { refusal, found = 0, limit = 0 } = refusalIn(error) ?? {};
      if (refusal === "text_too_long") {
        return this.#putWhatFits(value, caret, found - limit, refusalWords(error));
      }
      toasts.warn(refusalWords(error));
    }
    return undefined;
  }

  /** `over` characters too many were put in before `caret`: the last of them stay out. */
  #putWhatFits(value: string, caret: number, over: number, why: string): FieldState | undefined {
    const before = [...value.slice(0, caret)];
    const left = before.splice(Math.max(0, before.length - over)).join("");
    const kept = before.join("");
    toasts.warn(why, { label: words.note.copyRest, run: () => void copyText(left) });
    const fits = kept + value.slice(caret);
    // The core takes the field to be as it was before what it refused.
    this.driver.core.editorCatchUp(0, 0);
    try {
      this.driver.run((core, now) => core.editorInput(now, fits, kept.length));
      return { text: fits, start: kept.length, end: kept.length };
    } catch {
      // Others have written meanwhile: then nothing of it goes in.
      return undefined;
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
