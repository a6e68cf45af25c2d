import type { NoteRecord } from "./note.svelte";

/** Somebody else, as the core tells it. */
export interface PersonRecord {
  author: number;
  name: string;
  color: string;
  cursor: { x: number; y: number } | null;
  editing: string | null;
  drag: { id: string; x: number; y: number } | null;
}

export interface UnsavedRecord {
  number: number;
  kind: "rejected" | "purged" | "unknown";
  detail: string;
  notes: NoteRecord[];
}

/** What the core tells after a call: client/wasm/src/record.rs writes it. */
export interface Report {
  connect?: true;
  dropLine?: true;
  closed?: { code: string; detail: string };
  reset?: true;
  notes?: (NoteRecord & { deletion: number })[];
  gone?: string[];
  title?: string;
  people?: PersonRecord[];
  unsaved: UnsavedRecord[];
  fieldBehind?: true;
  ready: boolean;
  status: { state: "saved" | "saving" | "offline"; pending: number };
  line: "waiting" | "connecting" | "joining" | "live" | "ended";
  role: string | null;
  expiresAt: number | null;
  canUndo: boolean;
  canRedo: boolean;
  wake: number | null;
}
