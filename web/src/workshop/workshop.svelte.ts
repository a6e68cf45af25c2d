import { untrack } from "svelte";
import type { Rect } from "../board/camera.svelte";
import { serverNow, steadyNow } from "../session/clock.svelte";
import { habits } from "../session/habits.svelte";
import type { Note, NoteRecord } from "../session/note.svelte";
import type { Session } from "../session/session.svelte";
import { chime } from "./chime";
import {
  type Call,
  KEYS,
  readCall,
  readCounter,
  readRound,
  readTimer,
  readWriting,
  type Round,
  type Timer,
  writeCall,
  writeCounter,
  writeRound,
  writeTimer,
  writeWriting,
} from "./registers";

export const MINUTE_MS = 60_000;
/** So long after its end a timer that nobody put away is shown, in milliseconds. */
const OVER_MS = 10 * MINUTE_MS;

/** The tools of a workshop that all pages of a desk share: its registers, and the votes. */
export class Workshop {
  /** Counts the steps of the clock, so that the rest is looked at again. */
  #steps = $state(0);

  readonly timer: Timer | undefined = $derived.by(() => readTimer(this.session.registers));
  readonly round: Round | undefined = $derived.by(() => {
    const round = readRound(this.session.registers);
    return round?.state === "closed" ? undefined : round;
  });
  /** Since when people write for themselves; `undefined`: everybody reads everything. */
  readonly writing: number | undefined = $derived.by(() => readWriting(this.session.registers));
  readonly call: Call | undefined = $derived.by(() => readCall(this.session.registers));

  /** What is left, in milliseconds; not above 0: the time is up. */
  readonly rest: number | undefined = $derived.by(() => {
    void this.#steps;
    const { timer } = this;
    if (timer === undefined) return undefined;
    if (timer.state === "paused") return timer.rest;
    const rest = timer.endsAt - now();
    return rest < -OVER_MS ? undefined : rest;
  });
  readonly isOver = $derived(this.rest !== undefined && this.rest <= 0);

  /** What this person has given in the open round. */
  readonly given: number = $derived.by(() => {
    if (this.round === undefined) return 0;
    let given = 0;
    for (const note of this.session.notes.values()) given += this.mine(note.record);
    return given;
  });
  /** Notes with votes, the most first; none before they are revealed. */
  readonly result: { note: Note; votes: number }[] = $derived.by(() => {
    if (this.round?.state !== "revealed") return [];
    const notes = [...this.session.notes.values()];
    return notes
      .map((note) => ({ note, votes: this.all(note.record) }))
      .filter(({ votes }) => votes > 0)
      .sort((a, b) => b.votes - a.votes);
  });

  constructor(private readonly session: Session) {
    $effect(() => this.#tick());
    $effect(() => this.#ring());
    $effect(() => {
      const { writing } = this;
      const { author } = session;
      untrack(() =>
        session.veil(
          writing === undefined
            ? () => false
            : (record) => record.author !== author && record.createdAt >= writing,
        ),
      );
    });
  }

  // ---- the timer

  start(ms: number): void {
    this.#set(KEYS.timer, writeTimer({ state: "running", endsAt: now() + ms }));
  }

  pause(): void {
    const { timer } = this;
    if (timer?.state !== "running") return;
    this.#set(KEYS.timer, writeTimer({ state: "paused", rest: Math.max(0, timer.endsAt - now()) }));
  }

  resume(): void {
    if (this.timer?.state === "paused") this.start(this.timer.rest);
  }

  /** One minute more; where the time is up, one minute from now. */
  addMinute(): void {
    const { timer } = this;
    if (timer === undefined) return;
    if (timer.state === "paused") {
      this.#set(KEYS.timer, writeTimer({ state: "paused", rest: timer.rest + MINUTE_MS }));
    } else {
      const endsAt = Math.max(timer.endsAt, now()) + MINUTE_MS;
      this.#set(KEYS.timer, writeTimer({ state: "running", endsAt }));
    }
  }

  stop(): void {
    this.#set(KEYS.timer, new Uint8Array());
  }

  // ---- votes

  /** A new round; votes of earlier ones count no more. */
  openRound(votes: number): void {
    const number = (readRound(this.session.registers)?.number ?? 0) + 1;
    this.#set(KEYS.round, writeRound({ number, votes, state: "open" }));
  }

  reveal(): void {
    if (this.round !== undefined) this.#set(KEYS.round, writeRound({ ...this.round, state: "revealed" }));
  }

  closeRound(): void {
    if (this.round !== undefined) this.#set(KEYS.round, writeRound({ ...this.round, state: "closed" }));
  }

  /** This person's votes on a note. */
  mine(record: NoteRecord): number {
    const own = record.counters?.find(([author]) => author === this.session.author);
    return own === undefined || this.round === undefined ? 0 : readCounter(this.round.number, own[1]);
  }

  /** Everybody's votes on a note. */
  all(record: NoteRecord): number {
    const { round } = this;
    if (round === undefined) return 0;
    return (record.counters ?? []).reduce((sum, [, count]) => sum + readCounter(round.number, count), 0);
  }

  /** Gives a vote, or takes one back; `false`: there is none to give or to take. */
  vote(id: string, by: 1 | -1): boolean {
    const record = this.session.notes.get(id)?.record;
    const { round } = this;
    if (record === undefined || round?.state !== "open") return false;
    const votes = this.mine(record) + by;
    if (votes < 0 || (by > 0 && this.given >= round.votes)) return false;
    this.session.change((core, time) => core.vote(time, id, writeCounter(round.number, votes)));
    return true;
  }

  // ---- private writing

  writeApart(): void {
    this.#set(KEYS.writing, writeWriting(now()));
  }

  showAll(): void {
    this.#set(KEYS.writing, new Uint8Array());
  }

  // ---- bring everyone

  /** Asks everybody to look at what this window shows. */
  bring(sight: Rect): void {
    const { author } = this.session;
    if (author !== undefined) this.#set(KEYS.call, writeCall({ author, at: now(), sight }));
  }

  #set(key: number, bytes: Uint8Array): void {
    this.session.change((core, time) => core.setRegister(time, key, bytes));
  }

  /** Looks again when the next second of the rest begins. */
  #tick(): (() => void) | undefined {
    const { rest, timer } = this;
    if (rest === undefined || timer?.state !== "running") return undefined;
    const wait = (((rest % 1000) + 1000) % 1000) + 1;
    const step = setTimeout(() => this.#steps++, wait);
    return () => clearTimeout(step);
  }

  /** The timer's end, and whether this page has seen it run. */
  #ran: Timer | undefined;

  #ring(): void {
    const { timer, isOver } = this;
    if (!isOver) this.#ran = timer;
    else if (timer !== undefined && this.#ran === timer) {
      this.#ran = undefined;
      if (habits.sound) chime();
    }
  }
}

/** The server's time; before it is known, this device's. */
function now(): number {
  return untrack(serverNow) ?? steadyNow();
}
