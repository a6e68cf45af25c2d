import type { NoteRecord } from "./note.svelte";

/** Somebody else, as the core tells it. */
export interface PersonRecord {
  author: number;
  name: string;
  color: string;
  cursor: { x: number; y: number } | null;
  editing: string | null;
  caret: number | null;
  drag: { id: string; x: number; y: number } | null;
}

/** When and by whom a note was deleted or restored last. */
export interface Deletion {
  deletion: number;
  remover: number;
}

export interface UnsavedRecord {
  number: number;
  kind: "rejected" | "purged" | "unknown";
  detail: string;
  notes: NoteRecord[];
}

/** What a person reads about a trouble. */
export interface Words {
  head: string;
  body: string;
  /** What joining again is called, where that is the person's to decide. */
  rejoin?: string;
}

/** Why the line is not there, or what ended, and the words for a person. */
export interface Trouble extends Words {
  code: string;
}

/** Why the core made no change: the message of what it throws, as JSON. */
export interface Refusal {
  refusal:
    | "read_only"
    | "ended"
    | "no_note"
    | "text_too_long"
    | "too_many_notes"
    | "desk_too_large"
    | "too_much_at_once"
    | "fault";
  found?: number;
  limit?: number;
}

export interface Status {
  state: "saved" | "saving" | "connecting" | "offline" | "ended";
  pending: number;
  trouble?: Trouble;
}

/** What the core tells after a call: client/wasm/src/record.rs writes it. */
export interface Report {
  connect?: true;
  dropLine?: true;
  closed?: Trouble;
  reset?: true;
  notes?: (NoteRecord & Deletion)[];
  gone?: string[];
  title?: string;
  registers?: [key: number, bytes: number[]][];
  people?: PersonRecord[];
  unsaved: UnsavedRecord[];
  fieldBehind?: true;
  ready: boolean;
  status: Status;
  line: "waiting" | "connecting" | "joining" | "live" | "ended";
  role: string | null;
  expiresAt: number | null;
  canUndo: boolean;
  canRedo: boolean;
  wake: number | null;
  serverNow: number | null;
}
