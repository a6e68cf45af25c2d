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

type Same<T> = T extends string
  ? string
  : T extends (...given: infer Given) => string
    ? (...given: Given) => string
    : { readonly [Key in keyof T]: Same<T[Key]> };

/** What a language has to say: all that English does, under the same names. */
export type Messages = Same<Omit<typeof en, "troubles">> & {
  readonly troubles: Readonly<Record<TroubleCode, Words>> | null;
};
