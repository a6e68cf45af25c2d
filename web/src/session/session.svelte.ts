import { SvelteMap } from "svelte/reactivity";
import type { Point } from "../board/camera.svelte";
import { text } from "../text/en";
import { toasts } from "../ui/toasts.svelte";
import { DeskClient } from "../wasm/desk_client";
import {
  deskIdIn,
  deskLink,
  finishSession,
  fromBase64,
  type InitAnswer,
  joinDesk,
  rejoinDesk,
} from "./api";
import { Carriers } from "./carrier";
import { learnServerTime } from "./clock.svelte";
import { loadCore } from "./core";
import { Driver } from "./driver";
import { TextEditor } from "./editor";
import { failure, type Gone } from "./gone";
import { takeNewDesk } from "./handover";
import { knownLinks, type Links } from "./links";
import { Note, type NoteRecord, type Person } from "./note.svelte";
import { profile } from "./profile.svelte";
import { forgetDesk, recentDesk, rememberDesk } from "./recent";
import { Storage, type StoredClient } from "./storage";
import { claimClient } from "./tab";
import { describeUnsaved, type UnsavedChange } from "./unsaved";
import type { PersonRecord, Status, Trouble, Report } from "./report";

export { TextEditor };

/** A first join that failed for want of a line is tried again after this long. */
const REOPEN_MS = 4000;

/** One desk, as this tab shows it: the core's view made reactive, and what a person can do. */
export class Session {
  phase: "opening" | "open" | "gone" = $state("opening");
  gone: Gone | null = $state.raw(null);
  /** Why the connection ended until somebody asks to rejoin. */
  ended: Trouble | null = $state.raw(null);

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
  status: Status = $state.raw({ state: "connecting", pending: 0 });
  /** Whether unsent work survives this tab. */
  kept = $state(false);
  links: Links = $state({});

  readonly canEdit = $derived(this.role !== "viewer" && this.ended === null);
  readonly isOwner = $derived(this.role === "owner");

  #driver: Driver | undefined;
  #storage: Storage | undefined;
  #carriers: Carriers | undefined;
  #clientKey = "";
  #prepared: Promise<void> | undefined;
  #joining: AbortController | undefined;
  #closed = false;
  /** This tab has joined anew by itself, and has not been live since. */
  #rejoined = false;
  #swept = false;
  #reopen: ReturnType<typeof setTimeout> | undefined;
  #editor: TextEditor | undefined;
  #pointer: { pending: boolean; to: Point | null } = { pending: false, to: null };
  #hand: { pending: boolean; id: string; to: Point } | undefined;

  constructor(readonly id: string) {}

  // ---- opening and closing

  /** Opens the desk, from this browser's storage if it is there. An attempt under way gives way. */
  async open(): Promise<void> {
    clearTimeout(this.#reopen);
    if (this.#driver !== undefined) return this.retry();
    this.#joining?.abort();
    const joining = new AbortController();
    this.#joining = joining;
    try {
      this.#prepared ??= this.#prepare();
      await this.#prepared;
      if (!joining.signal.aborted && !(await this.#restore())) await this.#join(joining.signal);
    } catch (error) {
      if (!joining.signal.aborted) this.#failOpening(error);
    }
  }

  close(): void {
    this.#closed = true;
    this.#joining?.abort();
    clearTimeout(this.#reopen);
    this.#driver?.stop();
    this.#carriers?.stop();
  }

  async #prepare(): Promise<void> {
    try {
      await loadCore();
      this.#storage = await Storage.open().catch(() => undefined);
      await this.#claim();
    } catch (error) {
      this.#prepared = undefined;
      throw error;
    }
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
      if (Number.isFinite(own.expiresAt)) this.expiresAt = own.expiresAt;
    }
    if (this.#storage !== undefined) {
      const others = stored.filter((client) => client.key !== this.#clientKey);
      this.#carriers = new Carriers(this.#storage, seed);
      void this.#carriers.carry(others).catch(() => undefined);
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

  async #join(signal: AbortSignal): Promise<void> {
    const answer = takeNewDesk(this.id) ?? (await joinDesk(this.#link, signal));
    if (this.#closed || signal.aborted) return;
    this.role = answer.role;
    this.expiresAt = Date.parse(answer.expires_at);
    this.#nameLinks(answer);
    const [high, low] = seed();
    const core = new DeskClient(high, low, answer.session_key);
    if (answer.desk !== undefined) core.load(fromBase64(answer.desk));
    this.#start(core);
  }

  /** The link to join by: whoever made the desk on this device is its owner here. */
  get #link(): string {
    return recentDesk(this.id)?.owner ?? this.id;
  }

  #start(core: DeskClient): void {
    if (this.#closed || this.#driver !== undefined) return;
    this.gone = null;
    this.#driver = new Driver(core, this.#storage, {
      report: (report) => this.#take(report),
      stored: (report) => this.#row(report),
      kept: (kept) => (this.kept = kept),
    });
    this.watch(document.visibilityState === "visible");
    this.introduce(profile.name, profile.color);
  }

  #failOpening(error: unknown): void {
    if (this.#closed) return;
    this.gone = failure(error);
    this.phase = "gone";
    if (this.gone.forget) forgetDesk(this.id);
    if (this.gone.kind === "unreachable" || this.gone.kind === "refused") {
      this.#reopen = setTimeout(() => void this.open(), REOPEN_MS);
    }
  }

  #row(report: Report): StoredClient {
    return {
      key: this.#clientKey,
      desk: this.id,
      role: report.role ?? this.role,
      expiresAt: report.expiresAt === null ? (this.expiresAt ?? Infinity) : report.expiresAt * 1000,
      pending: report.status.pending + report.unsaved.length,
      savedAt: Date.now(),
    };
  }

  #nameLinks(answer?: InitAnswer): void {
    this.links = knownLinks(this.id, this.role, answer);
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
      this.unsaved = report.unsaved.map(describeUnsaved);
    }
    if (report.line === "live") this.#rejoined = false;
    if (report.serverNow !== null) this.#learnTime(report.serverNow);
    const { state, pending, trouble } = report.status;
    const shown = this.status;
    const news = state !== shown.state || trouble?.code !== shown.trouble?.code;
    if (news || pending !== shown.pending) this.status = report.status;
    if (report.ready && this.phase !== "open" && this.gone === null) {
      this.phase = "open";
      this.#remember();
    } else if (this.title !== known) this.#remember();
    if (report.closed !== undefined) this.#end(report.closed);
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

  /** The server's time; what it says is over needs no place in this browser. */
  #learnTime(at: number): void {
    learnServerTime(at);
    if (this.#swept) return;
    this.#swept = true;
    void this.#storage?.sweep(at).catch(() => undefined);
  }

  #end(trouble: Trouble): void {
    this.#meet([]);
    if (trouble.code === "expired" || trouble.code === "deleted") {
      this.lost = this.#driver?.core.unsavedTexts() ?? [];
      forgetDesk(this.id);
      this.gone = { kind: "over", head: trouble.head, body: trouble.body, forget: true };
      this.phase = "gone";
    } else if (trouble.code === "key_void" && !this.#rejoined) {
      // The desk is there and has only forgotten this client: no person needs to decide.
      this.#rejoined = true;
      void this.rejoin().then((problem) => {
        if (problem !== undefined) this.ended ??= trouble;
      });
    } else this.ended = trouble;
  }

  #remember(): void {
    if (this.expiresAt === undefined) return;
    const { id, title, role, expiresAt } = this;
    rememberDesk({ id, title, role, expiresAt });
  }

  // ---- the connection, as the person asks

  /** There is reason to hope that the line is back: an attempt that hangs gives way to a new one. */
  retry(): void {
    if (this.#driver !== undefined) this.#driver.run((core, now) => core.retryNow(now));
    else if (this.phase === "opening" || this.#reopen !== undefined) void this.open();
  }

  /** There is reason to believe that the line is gone. */
  doubt(): void {
    this.#driver?.run((core, now) => core.doubtLine(now));
  }

  /** Whether the page is in sight. */
  watch(watched: boolean): void {
    this.#driver?.run((core, now) => core.setWatched(now, watched));
  }

  /** Joins again after an end; answers what went wrong, if anything. */
  async rejoin(): Promise<string | undefined> {
    const driver = this.#driver;
    if (driver === undefined) return undefined;
    try {
      const answer = await rejoinDesk(this.#link, driver.core.sessionKey());
      this.role = answer.role;
      this.ended = null;
      driver.run((core, now) => core.rejoin(now, answer.session_key, answer.resumed));
      return undefined;
    } catch (error) {
      const gone = failure(error);
      if (gone.kind === "over" || gone.kind === "unknown") {
        this.lost = driver.core.unsavedTexts();
        this.#failOpening(error);
      }
      return gone.body;
    }
  }

  /** Texts that the server has not got, for copying. */
  unsentTexts(): string[] {
    return this.#driver?.core.unsavedTexts() ?? [];
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

function seed(): [number, number] {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return [words[0]!, words[1]!];
}
