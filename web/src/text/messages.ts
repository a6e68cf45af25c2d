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

/** Where in a file something stands: in a line, an element of a list, or a part with a name. */
export interface Place {
  /** Counted from 1. */
  line?: number;
  list?: string;
  /** Counted from 0. */
  index?: number;
  field?: string;
  part?: string;
}

/** What a file has that no note is made of. */
export type LeftOut =
  | "Arrow"
  | "ArrowLabel"
  | "Line"
  | "Edge"
  | "Drawing"
  | "Shape"
  | "Image"
  | "Video"
  | "Frame"
  | "Group"
  | "Embed"
  | "Bookmark"
  | "File"
  | "Deleted"
  | "Empty"
  | "ArchivedCard"
  | "InArchivedList"
  | "Template"
  | "EmptyList"
  | "Attachment"
  | "Comment"
  | "Cell"
  | "Other";

/** In which way what came in is not what the file says. */
export type Remark =
  | "Windows1252"
  | "FirstColumn"
  | "Moved"
  | "Pages"
  | "Resized"
  | "Unturned"
  | "Controls"
  | "Colors"
  | "HalfPlaced"
  | "Repeated"
  | "SameId"
  | "Ticks";

/** What became of a file beside its notes. */
export interface Told {
  /** In the readers' English, a clause a line. */
  text: string;
  leftOut: [LeftOut, number][];
  remarks: [Remark, number][];
}

/** Words for what became of a file. */
export interface ReportWords {
  notTakenOver: (things: string) => string;
  readonly leftOut: Readonly<Record<LeftOut, (count: number) => string>>;
  readonly remarks: Readonly<Record<Remark, (count: number) => string>>;
}

/** Why a file was not read, as far as a sentence needs it; what does not apply is empty. */
export interface ReadDetails {
  place: Place;
  /** A column's. */
  name: string;
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
export type Messages = Same<Omit<typeof en, "troubles" | "unreadable" | "report">> & {
  readonly troubles: Readonly<Record<TroubleCode, Words>> | null;
  /** Without them the readers' own English is told. */
  readonly report: ReportWords | null;
  /** Without them the readers' own English is told. */
  readonly unreadable: Readonly<Record<ReadFault, (why: ReadDetails) => string>> | null;
};
