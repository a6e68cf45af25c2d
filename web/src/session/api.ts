/** The server's HTTP API, as far as the page uses it (INTERFACE.md). */
import { learnServerTime } from "./clock.svelte";
import { learnMachines, urlOf } from "./machines";
import { type Collaboration, learnPlace } from "./places";

/** Until the server begins to answer, in milliseconds: a proxy may take a request and say nothing. */
const ANSWER_MS_MAX = 8000;
/** The same of a request that may wait for news, in milliseconds. */
const POLL_ANSWER_MS_MAX = 40_000;
/** Between two parts of an answer, in milliseconds. A whole desk takes minutes on a bad line. */
const SILENCE_MS_MAX = 10_000;
/** Until one machine of a cluster says where the desk is, in milliseconds: then the next is asked. */
const MACHINE_MS_MAX = 2000;

export interface InitAnswer {
  /** Base64 of the snapshot's frames; absent when not asked for. */
  desk?: string;
  session_key: string;
  desk_id: string;
  link: string;
  owner_link?: string;
  resumed: boolean;
  role: string;
  author: number;
  revision: number;
  expires_at: string;
  /** Where the desk can be reached. */
  collaboration?: Collaboration & { websocket?: string };
  /** In a cluster: the addresses of all its machines. */
  nodes?: string[];
}

/** The server's refusal, with its own words on what to do (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    /** Whether it is the server's own, and not of a proxy or a sign-in page on the way. */
    readonly ours: boolean,
    /** The word for the reason, if the server gives one. */
    readonly code?: string,
  ) {
    super(detail);
  }
}

const KEY_HEADER = "WebSocket-Session-Key";

/** Makes a desk and the creator's session. */
export function createDesk(title: string): Promise<InitAnswer> {
  return init({ name: title, create_new: true });
}

/** A session on a desk. */
export function joinDesk(link: string, signal: AbortSignal): Promise<InitAnswer> {
  return init({ name: link, create_new: false }, signal);
}

/** Another session for the client of an old key, which keeps its identity; without the desk. */
export function rejoinDesk(link: string, oldKey: string): Promise<InitAnswer> {
  const body = { name: link, create_new: false, session_key: oldKey, desk: false };
  return init(body);
}

async function init(body: unknown, signal?: AbortSignal, at = ""): Promise<InitAnswer> {
  const to = signal === undefined ? {} : { signal };
  const answer = await post<InitAnswer>(`${at}api/desk/init`, body, to);
  learnMachines(answer);
  learnPlace(answer.collaboration);
  return answer;
}

/** Asks the machines of a cluster, in turn, where the desk of a key is. */
export async function findDesk(key: string, machines: readonly string[]): Promise<void> {
  const body = { name: key.split("-")[0], create_new: false, session_key: key, desk: false };
  for (const machine of machines) {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), MACHINE_MS_MAX);
    try {
      await init(body, late.signal, `${machine}/`);
      return;
    } catch (error) {
      // A refusal is the desk's own, and told by the line; a machine that is gone says nothing.
      if (error instanceof Problem && error.status < 500) return;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The link of a role; made if there is none, and made anew to `rotate` it. Owner's only. */
export async function deskLink(desk: string, key: string, role: string, rotate: boolean): Promise<string> {
  const answer = await post<{ link: string }>(`api/desk/${desk}/links`, { role, rotate }, { key });
  return answer.link;
}

/** Deletes the desk for everybody. Owner's only. */
export async function deleteDesk(desk: string, key: string): Promise<void> {
  await request(`api/desk/${desk}`, { method: "DELETE", headers: { [KEY_HEADER]: key } });
}

/** What an import has made. */
export interface ImportAnswer {
  revision: number;
  created: string[];
}

/**
 * Adds the notes of a desk's JSON as one step, all or none. The same `number` counts once.
 * `told` hears which part of it was sent, from 0 to 1. A request that tells how far it is
 * is an older one: `fetch` tells only of answers.
 */
export function importNotes(
  desk: string,
  key: string,
  body: { json: string; deleted: boolean },
  number: string,
  told: (part: number) => void,
): Promise<ImportAnswer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", urlOf(`api/desk/${desk}/import?deleted=${body.deleted}`));
    request.setRequestHeader("Content-Type", "application/json");
    request.setRequestHeader("Idempotency-Key", number);
    request.setRequestHeader(KEY_HEADER, key);
    request.upload.onprogress = ({ loaded, total }) => told(total === 0 ? 1 : loaded / total);
    request.onerror = () => reject(new TypeError("no answer"));
    request.onload = () => {
      if (request.status === 200) return resolve(JSON.parse(request.responseText) as ImportAnswer);
      reject(problemOf(request.status, request.getResponseHeader("Content-Type"), request.responseText));
    };
    request.send(body.json);
  });
}

/** A desk as a file; `deleted`: with its deleted notes, which a viewer does not get. */
export async function exportDesk(
  desk: string,
  key: string,
  format: string,
  deleted: boolean,
): Promise<Blob> {
  const path = `api/desk/${desk}/export?format=${format}&deleted=${deleted}`;
  const answer = await request(path, deleted ? { headers: { [KEY_HEADER]: key } } : {});
  return answer.blob();
}

/** Ends the session for everyone. Owner's only. */
export async function finishSession(key: string): Promise<void> {
  await request("api/desk/collaboration/finish", {
    method: "PATCH",
    headers: { "Content-Type": "application/json", [KEY_HEADER]: key },
    body: JSON.stringify({ diff: "" }),
  });
}

/** The address of a part of a line over plain requests. */
export function pollUrl(line: number, part: number, wait?: number): string {
  const path = `api/desk/collaboration/poll?line=${line}&part=${part}`;
  return wait === undefined ? path : `${path}&wait=${wait}`;
}

/** A request of such a line; the bytes that it is answered. */
export async function pollRequest(
  path: string,
  method: string,
  key: string,
  body: Blob | undefined,
  signal: AbortSignal | undefined,
): Promise<ArrayBuffer> {
  const answer = await request(
    path,
    {
      method,
      headers: { [KEY_HEADER]: key, "Content-Type": "application/octet-stream" },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    },
    POLL_ANSWER_MS_MAX,
  );
  return answer.arrayBuffer();
}

/** Ends such a line as the page goes: the browser sends it although the page is gone then. */
export function leavePoll(line: number, part: number, key: string): void {
  const headers = { [KEY_HEADER]: key, "Content-Type": "application/octet-stream" };
  const leaving = fetch(urlOf(pollUrl(line, part)), { method: "POST", headers, body: "", keepalive: true });
  // Without it the server takes the line's silence for its end, some seconds later.
  leaving.catch(() => undefined);
}

/** Learns the server's time. */
export async function askServerTime(): Promise<void> {
  await request("healthz", { method: "HEAD" });
}

/** The address of the desk's WebSocket. */
export function webSocketUrl(): string {
  const url = urlOf("api/desk/collaboration/init");
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** The desk id in a link, or in an id typed alone. */
export function deskIdIn(link: string): string | undefined {
  const id = /^(?:\S*?\/d\/)?([0-9a-z]{26})(?![0-9a-z])/i.exec(link.trim())?.[1];
  return id?.toUpperCase();
}

export function deskUrl(id: string): string {
  return new URL(`d/${id}`, document.baseURI).href;
}

export function fromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

async function post<T>(
  path: string,
  body: unknown,
  to: { key?: string; signal?: AbortSignal } = {},
): Promise<T> {
  const { key, signal } = to;
  const answer = await request(path, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      ...(key === undefined ? {} : { [KEY_HEADER]: key }),
    },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
  return JSON.parse(await read(answer)) as T;
}

async function request(
  path: string,
  init: RequestInit,
  answerMsMax = ANSWER_MS_MAX,
): Promise<Response> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), answerMsMax);
  const given = init.signal ?? undefined;
  if (given?.aborted === true) late.abort();
  given?.addEventListener("abort", () => late.abort());
  const answer = await fetch(urlOf(path), { cache: "no-store", ...init, signal: late.signal }).finally(() =>
    clearTimeout(timer),
  );
  learnServerTime(Date.parse(answer.headers.get("Date") ?? ""));
  if (answer.ok) return answer;
  throw await problem(answer);
}

/** A refusal, as the server tells it; a proxy or a sign-in page on the way has no words of ours. */
async function problem(answer: Response): Promise<Problem> {
  return problemOf(answer.status, answer.headers.get("Content-Type"), await read(answer).catch(() => ""));
}

function problemOf(status: number, type: string | null, body: string): Problem {
  let said: { detail?: unknown; code?: unknown } = {};
  const ours = type?.startsWith("application/problem+json") ?? false;
  try {
    if (ours) said = JSON.parse(body) as typeof said;
  } catch {
    // The number has to do.
  }
  const detail = typeof said.detail === "string" ? said.detail : `The server answered ${status}.`;
  const code = typeof said.code === "string" ? said.code : undefined;
  return new Problem(status, detail, ours, code);
}

/** The body, unless it stops coming. */
async function read(answer: Response): Promise<string> {
  const reader = answer.body?.getReader();
  if (reader === undefined) return "";
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const timer = setTimeout(() => void reader.cancel(), SILENCE_MS_MAX);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
  }
}
