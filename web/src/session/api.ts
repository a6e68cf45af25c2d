/** The server's HTTP API, as far as the page uses it (INTERFACE.md). */

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
}

/** The server's refusal, with its own words on what to do (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
  ) {
    super(detail);
  }
}

const KEY_HEADER = "WebSocket-Session-Key";

/** Makes a desk and the creator's session. */
export function createDesk(title: string): Promise<InitAnswer> {
  return post("/api/desk/init", { name: title, create_new: true });
}

/** A session on a desk; an old key keeps the client's identity. */
export function joinDesk(link: string, oldKey?: string, desk = true): Promise<InitAnswer> {
  return post("/api/desk/init", {
    name: link,
    create_new: false,
    ...(oldKey === undefined || oldKey === "" ? {} : { session_key: oldKey }),
    ...(desk ? {} : { desk: false }),
  });
}

/** The link of a role; made if there is none. Owner's only. */
export async function deskLink(desk: string, key: string, role: string): Promise<string> {
  const answer = await post<{ link: string }>(`/api/desk/${desk}/links`, { role }, key);
  return answer.link;
}

/** Ends the session for everyone. Owner's only. */
export async function finishSession(key: string): Promise<void> {
  await request("/api/desk/collaboration/finish", {
    method: "PATCH",
    headers: { "Content-Type": "application/json", [KEY_HEADER]: key },
    body: JSON.stringify({ diff: "" }),
  });
}

/** Asks whether a key still holds, changing nothing; throws the server's [`Problem`]. */
export async function checkKey(key: string, revision: number): Promise<void> {
  await request(`/api/desk/collaboration/sync?since=${revision}&wait=0`, {
    headers: { [KEY_HEADER]: key },
  });
}

/** The address of the desk's WebSocket on the server that served this page. */
export function webSocketUrl(): string {
  const url = new URL("/api/desk/collaboration/init", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** The desk id in a link, or in an id typed alone. */
export function deskIdIn(link: string): string | undefined {
  const id = /^(?:\S*?\/d\/)?([0-9a-z]{26})(?![0-9a-z])/i.exec(link.trim())?.[1];
  return id?.toUpperCase();
}

export function deskUrl(id: string): string {
  return new URL(`/d/${id}`, location.href).href;
}

export function fromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

async function post<T>(path: string, body: unknown, key?: string): Promise<T> {
  const answer = await request(path, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      ...(key === undefined ? {} : { [KEY_HEADER]: key }),
    },
    body: JSON.stringify(body),
  });
  return (await answer.json()) as T;
}

async function request(path: string, init: RequestInit): Promise<Response> {
  const answer = await fetch(path, { cache: "no-store", ...init });
  if (answer.ok) return answer;
  let detail = `The server answered ${answer.status}.`;
  try {
    const problem = (await answer.json()) as { detail?: unknown };
    if (typeof problem.detail === "string") detail = problem.detail;
  } catch {
    // No words from the server, for instance from a proxy: the number has to do.
  }
  throw new Problem(answer.status, detail);
}
