// Following what changes: server-sent events, and polling where they do not come through.
import { address, get, Problem } from "./api.js";
import { me, trouble } from "./state.js";

const SILENT_MS = 35_000; // the server says something at least every 15 s
const POLL_MS = 2_000;
const UNAVAILABLE = 503; // a service that answers again in a while; what is not found stays so

/** How facts are asked for: by their cursor. */
const byCursor = (path) => async (query, cursor) => {
  const data = await get(path, { query: { ...query, since: cursor } });
  return { data, cursor: data.cursor };
};

/**
 * @param {string} path
 * @param {{ query?: Record<string, any>, after?: string | null, pollPath?: string | null, pollMs?: number,
 *   poll?: ((query: any, cursor: any) => Promise<{ data: any, cursor: any }>) | null,
 *   onData: (data: any, id: string) => void, onState?: (state: string, why?: any) => void }} options
 * @returns {() => void}
 *
 * Follow an address. `poll` asks where nothing is streamed: a hosted console. `onData(data, id)` is called for each change, `onState` with "live", "polling",
 * "paused" or "lost"; `why` is the problem, or null once it is over. A hidden page closes its stream and catches up when it is shown again.
 * Returns a function that ends it.
 */
export function follow(path, { query = {}, after = null, pollPath = null, poll: ask = pollPath === null ? null : byCursor(pollPath), pollMs = POLL_MS, onData, onState = () => {} }) {
  const streams = me.value?.live !== "poll";
  let source = null;
  let cursor = after;
  let watchdog = 0;
  let ended = false;

  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(poll, SILENT_MS);
  };
  const open = () => {
    if (ended || document.hidden) return;
    if (!streams) { poll(); return; }
    source?.close();
    source = new EventSource(address(path, cursor === null ? query : { ...query, after: cursor }));
    source.onopen = () => { onState("live"); trouble.value = null; alive(); };
    source.onmessage = (event) => {
      alive();
      onState("live", null);
      if (event.lastEventId) cursor = event.lastEventId;
      onData(JSON.parse(event.data), cursor);
    };
    source.addEventListener("idle", () => { alive(); onState("live", null); });
    source.addEventListener("problem", (event) => {
      const problem = new Problem({ status: 0, ...JSON.parse(event.data) });
      onState("lost", problem);
      if (problem.status !== UNAVAILABLE) { stop(); return; }
      source.close();
      retryLater();
    });
    source.onerror = () => {
      if (ended) return;
      onState("lost");
      // EventSource tries again by itself unless the answer was an error: then ask what is wrong.
      if (source.readyState === EventSource.CLOSED) retryLater();
      else get("/me").catch(() => {});
    };
  };
  const retryLater = async () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(async () => {
      try {
        await get("/me");
      } catch (problem) {
        if (problem.status === 401) return;
        retryLater();
        return;
      }
      open();
    }, POLL_MS);
  };
  const poll = async () => {
    if (ended || document.hidden) return;
    if (ask === null) { open(); return; }
    source?.close();
    clearTimeout(watchdog);
    try {
      const found = await ask(query, cursor);
      if (ended) return;
      onState("polling", null);
      if (found.cursor !== cursor) { cursor = found.cursor; onData(found.data, cursor); }
    } catch (problem) {
      if (ended) return;
      onState("lost", problem);
    }
    clearTimeout(watchdog);
    watchdog = setTimeout(poll, pollMs);
  };
  const shown = () => {
    if (document.hidden) { source?.close(); clearTimeout(watchdog); onState("paused"); } else open();
  };
  const stop = () => {
    ended = true;
    clearTimeout(watchdog);
    document.removeEventListener("visibilitychange", shown);
    source?.close();
  };
  document.addEventListener("visibilitychange", shown);
  open();
  return stop;
}
