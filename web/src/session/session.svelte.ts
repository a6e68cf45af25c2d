import { SvelteMap } from "svelte/reactivity";
import type { Point, Rect } from "../board/camera.svelte";
import { text } from "../text/text.svelte";
import { toasts } from "../ui/toasts.svelte";
import { DeskClient } from "../wasm/desk_client";
import {
  deleteDesk,
  deskIdIn,
  deskLink,
  exportDesk,
  finishSession,
  fromBase64,
  type ImportAnswer,
  importNotes,
  type InitAnswer,
  joinDesk,
  rejoinDesk,
} from "./api";
import { Carriers } from "./carrier";
import { learnServerTime } from "./clock.svelte";
import { loadCore } from "./core";
import { Hand } from "./hand";
import { Driver } from "./driver";
import { TextEditor } from "./editor";
import { failure, type Gone, goneWords } from "./gone";
import { takeNewDesk } from "./handover";
import { knownLinks, type Links } from "./links";
import { Note, type NoteRecord, Person } from "./note.svelte";
import { profile } from "./profile.svelte";
import { forgetDesk, moveDesk, recentDesk, rememberDesk } from "./recent";
import { refusalWords } from "./refusal";
import { Siblings } from "./siblings.svelte";
import { Storage, type StoredClient } from "./storage";
import { claimClient } from "./tab";
import { describeUnsaved, type UnsavedChange } from "./unsaved";
import type { Registers } from "../workshop/registers";
import type { Deletion, PersonRecord, Status, Trouble, Report } from "./report";

export { TextEditor };

/** A note to be made. */
export interface NewNote extends Rect {
  color: string;
  text?: string;
  kind?: number;
}

export type LinkRole = keyof Links;

/** A first join that failed for want of a line is tried again after this long. */
const REOPEN_MS = 4000;

/** One desk, as this tab shows it: the core's view made reactive, and what a person can do. */
export class Session {
  phase: "opening" | "open" | "gone" = $state("opening");
  gone: Gone | null = $state.raw(null);
  /** Why the connection ended until somebody asks to rejoin. */
  ended: Trouble | null = $state.raw(null);
  endedByMe = $state(false);

  readonly notes = new SvelteMap<string, Note>();
  /** Changes when a note comes, goes, moves or looks otherwise from afar. */
  layout = $state(0);
  readonly #deleted = new SvelteMap<string, NoteRecord & Deletion>();
  /** Deleted notes that say something, the last deleted first. */
  readonly bin = $derived(
    [...this.#deleted.values()]
      .filter((note) => note.text.trim() !== "")
      .sort((a, b) => b.deletion - a.deletion),
  );
  people: Person[] = $state.raw([]);
  unsaved: UnsavedChange[] = $state.raw([]);
  /** Texts that the server never got, of a desk that is gone. */
  lost: string[] = $state.raw([]);

  title = $state("");
  /** The registers of the desk. */
  registers: Registers = $state.raw(new Map());
  /** This client's number on the desk, once it is known. */
  author: number | undefined = $state();
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
  /** This person ends the session, or deletes the desk. */
  #ownEnd = false;
  #prepared: Promise<void> | undefined;
  #joining: AbortController | undefined;
  #closed = false;
  /** This tab has joined anew by itself, and has not been live since. */
  #rejoined = false;
  #swept = false;
  #reopen: ReturnType<typeof setTimeout> | undefined;
  #editor: TextEditor | undefined;
  /** Names of all whom this page has met. */
  readonly #names = new Map<number, string>();
  /** Notes in others' hands. */
  readonly #led = new Set<string>();
  #isVeiled: (record: NoteRecord) => boolean = () => false;
  #pointer: { pending: boolean; to: Point | null } = { pending: false, to: null };

  /** What this person's hand does with notes. */
  readonly hand = new Hand(this.notes, this);
  /** This person's other tabs. */
  readonly siblings: Siblings;
  /** Other people; this person's own tabs are not among them. */
  readonly others = $derived(this.people.filter(({ author }) => !this.siblings.authors.has(author)));

  constructor(readonly id: string) {
    this.siblings = new Siblings(id);
  }

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
    this.siblings.close();
    this.#joining?.abort();
    clearTimeout(this.#reopen);
    this.#driver?.stop();
    this.#carriers?.stop();
  }

  /** Waits until what was written so far is on this device. `false`: it is in this tab alone. */
  async stored(): Promise<boolean> {
    await this.#driver?.stored();
    return this.kept || this.status.pending === 0;
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

  /** Who deleted a note that is in the bin now; `undefined`: this person, or nobody known. */
  remover(id: string): Person | undefined {
    const author = this.#deleted.get(id)?.remover;
    return this.people.find((person) => person.author === author);
  }

  /** Whether this person wrote a note's text last, be it in another tab. */
  isMine(note: Note): boolean {
    const { writer } = note.record;
    return writer === this.#driver?.core.author || this.siblings.authors.has(writer);
  }

  /** Who wrote a note's text last, if this page has met them. */
  writer(note: Note): string | undefined {
    const { writer } = note.record;
    const here = this.people.find((person) => person.author === writer);
    return here?.name ?? this.#names.get(writer);
  }

  /** Whether a note was deleted and can be put back. */
  isDeleted(id: string): boolean {
    return this.#deleted.has(id);
  }

  // ---- what the core tells

  #take(report: Report): void {
    if (report.reset === true) this.#keepOnly(report.notes ?? []);
    for (const record of report.notes ?? []) this.#put(record);
    for (const id of report.gone ?? []) {
      this.#drop(id);
      this.#deleted.delete(id);
    }
    const known = this.title;
    if (report.title !== undefined) this.title = report.title;
    if (report.registers !== undefined) {
      this.registers = new Map(report.registers.map(([key, bytes]) => [key, Uint8Array.from(bytes)]));
    }
    this.author = this.#driver?.core.author ?? this.author;
    if (report.people !== undefined) this.#meet(report.people);
    this.role = report.role ?? this.role;
    if (report.expiresAt !== null) this.expiresAt = report.expiresAt * 1000;
    this.canUndo = report.canUndo;
    this.canRedo = report.canRedo;
    if (report.unsaved.length > 0 || this.unsaved.length > 0) {
      this.unsaved = report.unsaved.map(describeUnsaved);
    }
    if (report.line === "live") this.#settle();
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

  /** The line is live. */
  #settle(): void {
    this.#rejoined = false;
    const author = this.#driver?.core.author;
    if (author !== undefined) this.siblings.tell(author);
  }

  #put(record: NoteRecord & Deletion): void {
    if (record.deleted) {
      this.#drop(record.id);
      this.#deleted.set(record.id, record);
      return;
    }
    this.#deleted.delete(record.id);
    const note = this.notes.get(record.id);
    if (note !== undefined) {
      note.record = record;
      return;
    }
    const born = this.phase === "open" ? performance.now() : undefined;
    this.notes.set(record.id, new Note(record, born, () => this.#moved(), (shown) => this.#isVeiled(shown)));
    this.#moved();
  }

  #drop(id: string): void {
    if (this.notes.delete(id)) this.#moved();
  }

  #moved(): void {
    this.layout += 1;
  }

  /** Which notes do not show their text from now on. */
  veil(isVeiled: (record: NoteRecord) => boolean): void {
    this.#isVeiled = isVeiled;
    for (const note of this.notes.values()) note.veil();
  }

  #keepOnly(records: readonly NoteRecord[]): void {
    const ids = new Set(records.map((record) => record.id));
    for (const id of this.notes.keys()) if (!ids.has(id)) this.#drop(id);
    for (const id of this.#deleted.keys()) if (!ids.has(id)) this.#deleted.delete(id);
  }

  #meet(records: readonly PersonRecord[]): void {
    const known = new Map(this.people.map((person) => [person.author, person]));
    const people = records.map((record) => {
      const person = known.get(record.author) ?? new Person(record.author);
      person.name = record.name === "" ? text.people.guest(record.author) : record.name;
      person.color = record.color;
      this.#names.set(record.author, person.name);
      const { cursor } = record;
      if (cursor?.x !== person.cursor?.x || cursor?.y !== person.cursor?.y) person.cursor = cursor;
      person.editing = record.editing;
      person.caret = record.caret;
      return person;
    });
    const same =
      people.length === this.people.length && people.every((one, at) => one === this.people[at]);
    if (!same) this.people = people;
    this.#standOut();
    this.#lead(new Map(records.flatMap(({ drag }) => (drag === null ? [] : [[drag.id, drag]]))));
  }

  /** Of two people whose colour was drawn by lot, the one who came later draws again. */
  #standOut(): void {
    const author = this.#driver?.core.author;
    if (author === undefined) return;
    const earlier = this.people.filter((person) => person.author < author);
    if (!earlier.some((person) => person.color === profile.color)) return;
    profile.standOut(this.people.map((person) => person.color));
  }

  /** Shows notes in others' hands where those hold them. */
  #lead(hands: ReadonlyMap<string, Point>): void {
    for (const id of this.#led) {
      const note = this.notes.get(id);
      if (hands.has(id)) continue;
      this.#led.delete(id);
      if (note !== undefined) note.led = null;
    }
    for (const [id, { x, y }] of hands) {
      const note = this.notes.get(id);
      if (note === undefined) continue;
      this.#led.add(id);
      if (note.led?.x !== x || note.led.y !== y) note.led = { x, y };
    }
  }

  /** The server's time; what it says is over needs no place in this browser. */
  #learnTime(at: number): void {
    learnServerTime(at, true);
    if (this.#swept) return;
    this.#swept = true;
    void this.#storage?.sweep(at).catch(() => undefined);
  }

  #end(trouble: Trouble): void {
    this.#meet([]);
    toasts.clear();
    // What has expired stays readable where it was read; what was deleted was meant to go.
    if (trouble.code === "deleted" || (trouble.code === "expired" && this.phase !== "open")) {
      this.lost = this.#driver?.core.unsavedTexts() ?? [];
      forgetDesk(this.id);
      this.gone = { kind: "over", trouble, forget: true, own: this.#ownEnd };
      this.phase = "gone";
    } else if (this.#isForgotten(trouble) && !this.#rejoined) {
      // The desk is there and has only forgotten this client: no person needs to decide.
      this.#rejoined = true;
      void this.rejoin().then((problem) => {
        if (problem !== undefined) this.ended ??= trouble;
      });
    } else {
      this.ended = trouble;
      this.endedByMe = this.#ownEnd;
    }
    this.#ownEnd = false;
  }

  /** The owner has a new link beside the one that was replaced. */
  #isForgotten(trouble: Trouble): boolean {
    const isOwn = recentDesk(this.id)?.owner !== undefined;
    return trouble.code === "key_void" || (trouble.code === "link_replaced" && isOwn);
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
      return goneWords(gone).body;
    }
  }

  /** Texts that the server has not got, for copying. */
  unsentTexts(): string[] {
    return this.#driver?.core.unsavedTexts() ?? [];
  }

  async finish(): Promise<void> {
    this.#ownEnd = true;
    await finishSession(this.#key).catch((error: unknown) => {
      this.#ownEnd = false;
      throw error;
    });
  }

  async deleteDesk(): Promise<void> {
    this.#ownEnd = true;
    await deleteDesk(this.#linkId, this.#key).catch((error: unknown) => {
      this.#ownEnd = false;
      throw error;
    });
  }

  /** Adds the notes of a desk's JSON by a request, as this person. */
  importNotes(
    body: { json: string; deleted: boolean },
    number: string,
    told: (part: number) => void,
  ): Promise<ImportAnswer> {
    return importNotes(this.id, this.#key, body, number, told);
  }

  /** The notes were imported: undo takes them back as one step. */
  imported(revision: number, created: readonly string[]): void {
    this.#driver?.run((core) => core.imported(revision, [...created]));
  }

  /** The desk as a file, as the server has it. */
  export(format: string, deleted: boolean): Promise<Blob> {
    return exportDesk(this.id, this.#key, format, deleted);
  }

  async makeLink(role: LinkRole): Promise<string> {
    const link = await deskLink(this.#linkId, this.#key, role, false);
    this.links[role] = link;
    return link;
  }

  /**
   * Makes a link anew: the old one opens nothing from then on. Answers the id at which
   * this page is found now, where that is another one.
   */
  async replaceLink(role: LinkRole): Promise<string | undefined> {
    const before = this.links[role];
    const link = await deskLink(this.#linkId, this.#key, role, true);
    this.links[role] = link;
    const id = deskIdIn(link);
    if (id === undefined) return undefined;
    const isHere = before !== undefined && deskIdIn(before) === this.id;
    const owner = role === "owner" ? id : this.#ownerLink;
    const place = isHere ? id : this.id;
    if (role !== "viewer" && owner !== undefined) moveDesk(this.id, place, owner);
    // The key of an owner goes with the link: the page has to come in by the new one.
    return isHere || role === "owner" ? place : undefined;
  }

  get #key(): string {
    return this.#driver?.core.sessionKey() ?? "";
  }

  /** The link that this session came by, as the server knows it. */
  get #linkId(): string {
    return deskIdIn(this.#key.split("-")[0] ?? "") ?? this.id;
  }

  get #ownerLink(): string | undefined {
    return this.links.owner === undefined ? undefined : deskIdIn(this.links.owner);
  }

  // ---- changes

  create(at: NewNote): string | undefined {
    return this.change((core, now) =>
      core.create(now, at.x, at.y, at.width, at.height, at.color, at.text ?? "", at.kind ?? 0),
    );
  }

  /** Makes all changes of `edit` as one step of undo; answers the ids of new notes. */
  together(edit: (core: DeskClient, now: number) => void): string[] | undefined {
    return this.change((core, now) => {
      core.gather();
      try {
        edit(core, now);
      } catch (error) {
        core.ungather();
        throw error;
      }
      return core.actGathered(now);
    });
  }

  /** Notes that come as they are, as one step. */
  add(notes: readonly NewNote[]): string[] {
    const made = this.together((core, now) => {
      for (const { x, y, width, height, color, text, kind } of notes) {
        core.create(now, x, y, width, height, color, text ?? "", kind ?? 0);
      }
    });
    return made ?? [];
  }

  place(places: ReadonlyMap<string, Point>): void {
    this.together((core, now) => {
      for (const [id, { x, y }] of places) {
        const known = this.notes.get(id)?.record;
        if (known !== undefined && (known.x !== x || known.y !== y)) core.move(now, id, x, y);
      }
    });
  }

  recolor(ids: Iterable<string>, color: string): void {
    this.#each(ids, (core, now, note) => {
      if (note.record.color !== color) core.recolor(now, note.id, color);
    });
  }

  /** Puts notes on top, in the order in which they lie. */
  raise(ids: Iterable<string>): void {
    this.#each(ids, (core, now, note) => core.raise(now, note.id));
  }

  lower(ids: Iterable<string>): void {
    this.#each(ids, (core, now, note) => core.lower(now, note.id), true);
  }

  remove(ids: Iterable<string>): boolean {
    return this.#each(ids, (core, now, note) => core.remove(now, note.id));
  }

  /** The same change to several notes, the lowest first. */
  #each(
    ids: Iterable<string>,
    edit: (core: DeskClient, now: number, note: Note) => void,
    highestFirst = false,
  ): boolean {
    const notes = [...ids].flatMap((id) => this.notes.get(id) ?? []);
    notes.sort((a, b) => (a.record.z - b.record.z || (a.id < b.id ? -1 : 1)) * (highestFirst ? -1 : 1));
    const done = this.together((core, now) => {
      for (const note of notes) edit(core, now, note);
    });
    return done !== undefined;
  }

  lock(ids: Iterable<string>, locked: boolean): void {
    this.#each(ids, (core, now, note) => core.setLocked(now, note.id, locked));
  }

  restore(ids: Iterable<string>): void {
    this.together((core, now) => {
      for (const id of ids) core.unremove(now, id);
    });
  }

  rename(title: string): void {
    this.change((core, now) => core.rename(now, title));
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

  /** Makes a change, or tells why it cannot be made. */
  change<T>(call: (core: DeskClient, now: number) => T): T | undefined {
    try {
      return this.#driver?.run(call);
    } catch (error) {
      toasts.show(refusalWords(error));
      return undefined;
    }
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
