import type { Words } from "../session/report";
import type { en } from "./en";

/** The words of the core for why a line is not there. */
export type TroubleCode =
  | "lost"
  | "no_answer"
  | "silent"
  | "unreadable"
  | "no_desk"
  | "malformed"
  | "timed_out"
  | "internal"
  | "draining"
  | "moved"
  | "overloaded"
  | "desk_full"
  | "key_void"
  | "not_allowed"
  | "finished"
  | "superseded"
  | "link_replaced"
  | "deleted"
  | "expired";

/** The readers' words for why a file is no board. */
export type ReadFault =
  | "unknown"
  | "too_large"
  | "not_text"
  | "json"
  | "unexpected"
  | "no_column"
  | "too_many"
  | "long_text"
  | "too_far"
  | "empty";

/** Why a file was not read, as far as a sentence needs it; what does not apply is empty. */
export interface ReadDetails {
  place: string;
  line: number;
  column: number;
  byte: number;
  found: number;
  limit: number;
}

type Same<T> = T extends string
  ? string
  : T extends (...given: infer Given) => string
    ? (...given: Given) => string
    : { readonly [Key in keyof T]: Same<T[Key]> };

/** What a language has to say: all that English does, under the same names. */
export type Messages = Same<Omit<typeof en, "troubles" | "unreadable">> & {
  readonly troubles: Readonly<Record<TroubleCode, Words>> | null;
  /** Without them the readers' own English is told. */
  readonly unreadable: Readonly<Record<ReadFault, (why: ReadDetails) => string>> | null;
};
