import { SvelteMap } from "svelte/reactivity";
import type { Point } from "../board/camera.svelte";
import { text } from "../text/en";
import { toasts } from "../ui/toasts.svelte";
import { DeskClient } from "../wasm/desk_client";
import {
  deskIdIn,
  deskLink,
  deskUrl,
  finishSession,
  fromBase64,
  type InitAnswer,
  joinDesk,
  Problem,
} from "./api";
import { Carriers } from "./carrier";
import { loadCore } from "./core";
import { Driver } from "./driver";
import { TextEditor } from "./editor";
import { takeNewDesk } from "./handover";
import { Note, type NoteRecord, type Person } from "./note.svelte";
import { profile } from "./profile.svelte";
import { forgetDesk, recentDesk, rememberDesk } from "./recent";
import { Storage, type StoredClient } from "./storage";
import { claimClient } from "./tab";
import type { PersonRecord, Report, UnsavedRecord } from "./report";

export { TextEditor };

/** Why there is no desk to show. */
export interface Gone {
  kind: "unknown" | "expired" | "deleted" | "unreachable" | "refused";
  detail: string;
}

/** A change that the server refused, for the person to copy. */
export interface UnsavedChange {
  number: number;
  reason: string;
  text: string;
}

/** A first join that failed for want of a line is tried again after this long. */
const REOPEN_MS = 4000;

/** One desk, as this tab shows it: the core's view made reactive, and what a person can do. */
export class Session {
  phase: "opening" | "open" | "gone" = $state("opening");
  gone: Gone | null = $state.raw(null);
  /** Why the connection ended until somebody asks to rejoin. */
  ended: "finished" | "superseded" | null = $state(null);

  readonly notes = new SvelteMap<string, Note>();
  readonly #deleted = new SvelteMap<string, NoteRecord & { deletion: number }>();
  /** Deleted notes, the last deleted first. */
  readonly bin = $derived([...this.#deleted.values()].sort((a, b) => b.deletion - a.deletion));
  people: Person[] = $state.raw([]);
  unsaved: UnsavedChange[] = $state.raw([]);
  /** Texts that the server never got, of a desk that is gone. */
  lost: string[] = $state.raw([]);

  title = $state("");
  role = $state("viewer");
  expiresAt: number | undefined = $state();
  canUndo = $state(false);
  canRedo = $state(false);
  status: { state: "saved" | "saving" | "connecting" | "offline"; pending: number } = $state.raw({
    state: "connecting",
    pending: 0,
  });
  /** Whether unsent work survives this tab. */
  kept = $state(false);
  links: { editor?: string; viewer?: string; owner?: string } = $state({});

  readonly canEdit = $derived(this.role !== "viewer" && this.ended === null);
  readonly isOwner = $derived(this.role === "owner");

  #driver: Driver | undefined;
  #storage: Storage | undefined;
  #carriers: Carriers | undefined;
  #clientKey = "";
  #failed = false;
  #closed = false;
  #reopen: ReturnType<typeof setTimeout> | undefined;
  #editor: TextEditor | undefined;
  #pointer: { pending: boolean; to: Point | null } = { pending: false, to: null };
  #hand: { pending: boolean; id: string; to: Point } | undefined;

  constructor(readonly id: string) {}

  // ---- opening and closing

  /** Opens the desk, from this browser's storage if it is there. */
  async open(): Promise<void> {
    clearTimeout(this.#reopen);
    if (this.#driver !== undefined) return this.retry();
    try {
      await loadCore();
      this.#storage ??= await Storage.open().catch(() => undefined);
      if (this.#clientKey === "") await this.#claim();
      if (!(await this.#restore())) await this.#join();
    } catch (error) {
      this.#failOpening(error);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#reopen);
    this.#driver?.stop();
    this.#carriers?.stop();
  }

  async #claim(): Promise<void> {
    const stored = (await this.#storage?.clients(this.id)) ?? [];
    this.#clientKey = await claimClient(
      this.id,
      stored.map((client) => client.key),
    );
    const own = stored.find((client) => client.key === this.#clientKey);
    if (own !== undefined) {
      this.role = own.role;
      this.expiresAt = own.expiresAt;
    }
    if (this.#storage !== undefined) {
      const others = stored.filter((client) => client.key !== this.#clientKey);
      this.#carriers = new Carriers(this.#storage, seed);
      void this.#carriers.carry(others).catch(() => undefined);
      void this.#storage.sweep(Date.now()).catch(() => undefined);
    }
  }

  async #restore(): Promise<boolean> {
    const stored = await this.#storage?.load(this.#clientKey);
    if (stored === undefined) return false;
    const [high, low] = seed();
    try {
      this.#start(DeskClient.restore(high, low, stored.base, stored.queue));
    } catch {
      // Written by a version that this one cannot read: the server has the rest.
      await this.#storage?.remove([this.#clientKey]);
      return false;
    }
    this.#nameLinks();
    return true;
  }

  async #join(): Promise<void> {
    const made = takeNewDesk(this.id);
    const answer = made ?? (await joinDesk(recentDesk(this.id)?.owner ?? this.id));
    if (this.#closed) return;
    this.role = answer.role;
    this.expiresAt = Date.parse(answer.expires_at);
    this.#nameLinks(answer);
    const [high, low] = seed();
    const core = new DeskClient(high, low, answer.session_key);
    if (answer.desk !== undefined) core.load(fromBase64(answer.desk));
    this.#start(core);
  }

  #start(core: DeskClient): void {
    if (this.#closed) return;
    this.gone = null;
    this.#driver = new Driver(core, this.#storage, {
      report: (report) => this.#take(report),
      stored: () => this.#row(),
      kept: (kept) => (this.kept = kept),
    });
    this.introduce(profile.name, profile.color);
  }

  #failOpening(error: unknown): void {
    if (this.#closed) return;
    const detail = error instanceof Error ? error.message : String(error);
    const status = error instanceof Problem ? error.status : 0;
    const kind =
      status === 404 || status === 400 || status === 422
        ? "unknown"
        : status === 410
          ? "expired"
          : status === 0
            ? "unreachable"
            : "refused";
    if (kind === "unknown" || kind === "expired") forgetDesk(this.id);
    this.gone = { kind, detail };
    this.phase = "gone";
    if (kind === "unreachable" || kind === "refused") {
      this.#reopen = setTimeout(() => void this.open(), REOPEN_MS);
    }
  }

  #row(): StoredClient {
    return {
      key: this.#clientKey,
      desk: this.id,
      role: this.role,
      expiresAt: this.expiresAt ?? Date.now(),
      pending: this.status.pending + this.unsaved.length,
      savedAt: Date.now(),
    };
  }

  #nameLinks(answer?: InitAnswer): void {
    const owner = recentDesk(this.id)?.owner;
    const here = answer?.link ?? deskUrl(this.id);
    if (owner !== undefined) {
      const isMade = answer?.owner_link !== undefined;
      this.links = {
        editor: isMade ? here : deskUrl(this.id),
        owner: answer?.owner_link ?? deskUrl(owner),
      };
    } else if (this.role === "owner") this.links = { owner: here };
    else if (this.role === "viewer") this.links = { viewer: here };
    else this.links = { editor: here };
  }

  // ---- what the core tells

  #take(report: Report): void {
    if (report.reset === true) this.#keepOnly(report.notes ?? []);
    for (const record of report.notes ?? []) this.#put(record);
    for (const id of report.gone ?? []) {
      this.notes.delete(id);
      this.#deleted.delete(id);
    }
    const known = this.title;
    if (report.title !== undefined) this.title = report.title;
    if (report.people !== undefined) this.#meet(report.people);
    this.role = report.role ?? this.role;
    if (report.expiresAt !== null) this.expiresAt = report.expiresAt * 1000;
    this.canUndo = report.canUndo;
    this.canRedo = report.canRedo;
    if (report.unsaved.length > 0 || this.unsaved.length > 0) {
      this.unsaved = report.unsaved.map(describe);
    }
    if (report.line === "live") this.#failed = false;
    else if (report.line === "waiting") this.#failed = true;
    const joining = report.line === "joining" || report.line === "connecting";
    const waits = report.status.state === "offline" && joining && !this.#failed;
    const state = waits ? "connecting" : report.status.state;
    if (state !== this.status.state || report.status.pending !== this.status.pending) {
      this.status = { state, pending: report.status.pending };
    }
    if (report.ready && this.phase !== "open" && this.gone === null) {
      this.phase = "open";
      this.#remember();
    } else if (this.title !== known) this.#remember();
    if (report.closed !== undefined) this.#end(report.closed.code, report.closed.detail);
    if (report.fieldBehind === true) this.#editor?.foreign();
  }

  #put(record: NoteRecord & { deletion: number }): void {
    if (record.deleted) {
      this.notes.delete(record.id);
      this.#deleted.set(record.id, record);
      return;
    }
    this.#deleted.delete(record.id);
    const note = this.notes.get(record.id);
    if (note === undefined) this.notes.set(record.id, new Note(record, this.phase === "open"));
    else note.record = record;
  }

  #keepOnly(records: readonly NoteRecord[]): void {
    const ids = new Set(records.map((record) => record.id));
    for (const id of this.notes.keys()) if (!ids.has(id)) this.notes.delete(id);
    for (const id of this.#deleted.keys()) if (!ids.has(id)) this.#deleted.delete(id);
  }

  #meet(people: readonly PersonRecord[]): void {
    this.people = people.map((person) => ({
      author: person.author,
      name: person.name === "" ? text.people.guest(person.author) : person.name,
      color: person.color,
      cursor: person.cursor,
      editing: person.editing,
    }));
    const led = new Map(people.flatMap(({ drag }) => (drag === null ? [] : [[drag.id, drag]])));
    for (const note of this.notes.values()) {
      const drag = led.get(note.id);
      if (drag === undefined) {
        if (note.led !== null) note.led = null;
      } else if (note.led?.x !== drag.x || note.led.y !== drag.y) {
        note.led = { x: drag.x, y: drag.y };
      }
    }
  }

  #end(code: string, detail: string): void {
    if (code === "expired" || code === "deleted") {
      this.lost = this.#driver?.core.unsavedTexts() ?? [];
      forgetDesk(this.id);
      this.gone = { kind: code, detail };
      this.phase = "gone";
    } else {
      // A void key is a session that was finished, or a link replaced, while this tab was away.
      this.ended = code === "superseded" ? "superseded" : "finished";
    }
    this.#meet([]);
  }

  #remember(): void {
    if (this.expiresAt === undefined) return;
    const { id, title, role, expiresAt } = this;
    rememberDesk({ id, title, role, expiresAt });
  }

  // ---- the connection, as the person asks

  retry(): void {
    if (this.#driver !== undefined) this.#driver.run((core, now) => core.retryNow(now));
    else if (this.phase === "gone" && this.#reopen !== undefined) void this.open();
  }

  /** Joins again after an end; answers what went wrong, if anything. */
  async rejoin(): Promise<string | undefined> {
    const driver = this.#driver;
    if (driver === undefined) return undefined;
    try {
      const link = recentDesk(this.id)?.owner ?? this.id;
      const answer = await joinDesk(link, driver.core.sessionKey(), false);
      this.role = answer.role;
      this.ended = null;
      driver.run((core, now) => core.rejoin(now, answer.session_key, answer.resumed));
      return undefined;
    } catch (error) {
      if (error instanceof Problem && (error.status === 404 || error.status === 410)) {
        this.lost = driver.core.unsavedTexts();
        this.#failOpening(error);
      }
      return error instanceof Problem ? error.detail : text.share.linkFailed;
    }
  }

  async finish(): Promise<void> {
    const key = this.#driver?.core.sessionKey();
    if (key !== undefined) await finishSession(key);
  }

  async makeLink(role: "editor" | "viewer" | "owner"): Promise<string> {
    const key = this.#driver?.core.sessionKey() ?? "";
    const link = await deskLink(deskIdIn(key.split("-")[0] ?? "") ?? this.id, key, role);
    this.links[role] = link;
    return link;
  }

  // ---- changes

  create(at: {
    x: number;
    y: number;
    width: number;
    height: number;
    color: string;
    text?: string;
  }): string | undefined {
    return this.#change((core, now) =>
      core.create(now, at.x, at.y, at.width, at.height, at.color, at.text ?? ""),
    );
  }

  move(id: string, to: Point): void {
    this.#change((core, now) => core.move(now, id, to.x, to.y));
  }

  recolor(id: string, color: string): void {
    if (this.notes.get(id)?.record.color === color) return;
    this.#change((core, now) => core.recolor(now, id, color));
  }

  raise(id: string): void {
    this.#change((core, now) => core.raise(now, id));
  }

  lower(id: string): void {
    this.#change((core, now) => core.lower(now, id));
  }

  remove(id: string): boolean {
    return this.#change((core, now) => (core.remove(now, id), true)) ?? false;
  }

  restore(id: string): void {
    this.#change((core, now) => core.unremove(now, id));
  }

  rename(title: string): void {
    this.#change((core, now) => core.rename(now, title));
  }

  undo(): void {
    this.#driver?.run((core, now) => core.undo(now));
  }

  redo(): void {
    this.#driver?.run((core, now) => core.redo(now));
  }

  dismiss(number: number): void {
    this.#driver?.run((core) => core.dismissUnsaved(number));
  }

  /** Puts the refused text onto the desk as a new note. */
  stickAgain(number: number): void {
    const change = this.unsaved.find((entry) => entry.number === number);
    if (change === undefined) return;
    const made = this.create({
      x: 0,
      y: 0,
      width: 200,
      height: 200,
      color: "#ffe066",
      text: change.text,
    });
    if (made !== undefined) this.dismiss(number);
  }

  #change<T>(call: (core: DeskClient, now: number) => T): T | undefined {
    try {
      return this.#driver?.run(call);
    } catch (error) {
      toasts.show(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  // ---- gestures

  drag(id: string, to: Point): void {
    const note = this.notes.get(id);
    if (note === undefined) return;
    note.held = to;
    const waiting = this.#hand?.pending === true;
    this.#hand = { pending: true, id, to };
    if (waiting) return;
    requestAnimationFrame(() => {
      const hand = this.#hand;
      if (hand?.pending !== true) return;
      hand.pending = false;
      this.#change((core, now) => core.drag(now, hand.id, hand.to.x, hand.to.y));
    });
  }

  drop(id: string): void {
    this.#hand = undefined;
    const note = this.notes.get(id);
    const to = note?.held;
    if (note === undefined || to === null || to === undefined) {
      // Somebody deleted it under the hand.
      this.#driver?.run((core, now) => core.cancelDrag(now));
      return;
    }
    this.#change((core, now) => core.drop(now, id, to.x, to.y));
    note.held = null;
  }

  stretch(id: string, to: { width: number; height: number }): void {
    const note = this.notes.get(id);
    if (note !== undefined) note.stretched = to;
  }

  release(id: string): void {
    const note = this.notes.get(id);
    const to = note?.stretched;
    if (note === undefined || to === null || to === undefined) return;
    this.#change((core, now) => core.resize(now, id, to.width, to.height));
    note.stretched = null;
  }

  cancelGesture(id: string): void {
    this.#hand = undefined;
    const note = this.notes.get(id);
    if (note === undefined) return;
    note.stretched = null;
    if (note.held === null) return;
    note.held = null;
    this.#driver?.run((core, now) => core.cancelDrag(now));
  }

  // ---- text

  /** Begins typing into a note. */
  openEditor(id: string): TextEditor {
    const editor = new TextEditor(id, this.#driver!, () => {
      if (this.#editor === editor) this.#editor = undefined;
    });
    this.#editor = editor;
    return editor;
  }

  // ---- presence

  introduce(name: string, color: string): void {
    this.#driver?.run((core, now) => core.person(now, name, color));
  }

  /** Where this person's pointer is on the board; `null`: off it. */
  pointAt(to: Point | null): void {
    this.#pointer.to = to === null ? null : { x: Math.round(to.x), y: Math.round(to.y) };
    if (this.#pointer.pending) return;
    this.#pointer.pending = true;
    requestAnimationFrame(() => {
      this.#pointer.pending = false;
      const at = this.#pointer.to;
      this.#driver?.run((core, now) =>
        at === null ? core.pointAway(now) : core.point(now, at.x, at.y),
      );
    });
  }
}

function describe(unsaved: UnsavedRecord): UnsavedChange {
  return {
    number: unsaved.number,
    reason:
      unsaved.kind === "rejected" ? unsaved.detail : text.unsaved[unsaved.kind],
    text: unsaved.notes
      .map((note) => note.text)
      .filter((words) => words.trim() !== "")
      .join("\n\n"),
  };
}

function seed(): [number, number] {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return [words[0]!, words[1]!];
}
