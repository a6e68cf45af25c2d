import { knownPlace } from "./places";
import type { Runner, RunnerEvents } from "./runner";
import { SessionLine } from "./session_line";
import { SocketLine } from "./socket_line";
import { isAvoided, type Transport, trust } from "./transports";

/** When a line over plain requests first looks for something better, in milliseconds. */
const FIRST_MS = 5000;
/** The longest time between two looks, in milliseconds; each in vain doubles it. */
const EVERY_MS_MAX = 60_000;
/** How long a look may take, in milliseconds. */
const LOOK_MS_MAX = 4000;

/** Looks again and again whether a better transport opens, and tells so once. Answers how to stop. */
export function probe(key: string, found: () => void): () => void {
  let pause = FIRST_MS;
  let stopped = false;
  let timer: ReturnType<typeof setTimeout>;
  let close = (): void => undefined;
  const look = (): void => {
    const runners: Runner[] = [];
    close = () => {
      for (const runner of runners.splice(0)) runner.close();
    };
    const eventsOf = (name: Transport): RunnerEvents => ({
      opened: () => {
        // It has said nothing: to the server it is a line that changed its mind.
        close();
        if (stopped) return;
        stopped = true;
        clearTimeout(timer);
        trust(name);
        found();
      },
      message: () => undefined,
      datagram: () => undefined,
      ended: () => undefined,
      failed: () => undefined,
    });
    if (!isAvoided("websocket")) runners.push(new SocketLine(key, eventsOf("websocket")));
    const place = "WebTransport" in globalThis ? knownPlace() : undefined;
    if (place !== undefined && !isAvoided("webtransport")) {
      runners.push(new SessionLine(place, key, eventsOf("webtransport")));
    }
    timer = setTimeout(() => {
      close();
      timer = setTimeout(look, pause);
    }, LOOK_MS_MAX);
    pause = Math.min(2 * pause, EVERY_MS_MAX);
  };
  timer = setTimeout(look, pause);
  return () => {
    stopped = true;
    clearTimeout(timer);
    close();
  };
}
