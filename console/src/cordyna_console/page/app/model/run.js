// A run as the page holds it: structure and facts as columns. Pure: `node --test` runs it.
import { wordOf, WORDS, urgencyOf } from "../words.js";

/** Everything that never changes, and room for the facts. */
export function createRun(structure) {
  const { upstream_steps: steps, ...rest } = structure;
  const size = structure.task.length;
  const downstream = structure.task.map(() => []);
  const upstream = steps.map((needs, index) => {
    let at = index;
    return needs.map((step) => (at -= step));
  });
  upstream.forEach((needs, index) => needs.forEach((up) => downstream[up].push(index)));
  return {
    ...rest,
    size,
    upstream,
    downstream,
    index: new Map(structure.task.map((name, index) => [name, index])),
    state: "running",
    cancelled: false,
    createdAt: null,
    endedAt: null,
    why: null,
    fact: new Array(size).fill(null),
    word: new Array(size).fill("waiting"),
    counts: {},
  };
}

/** Put changed rows in, and derive again what is derived. Returns the indexes whose word changed. */
export function applyFacts(run, facts) {
  run.state = facts.state;
  run.cancelled = facts.cancelled;
  run.createdAt = facts.created_at === null ? null : Date.parse(facts.created_at);
  run.endedAt = facts.ended_at === null || facts.ended_at === undefined ? null : Date.parse(facts.ended_at);
  run.why = facts.why;
  const columns = facts.columns;
  let index = 0;
  let sent = 0;
  for (let row = 0; row < columns.step.length; row++) {
    const [state, reason] = facts.words[columns.word[row]];
    index += columns.step[row];
    const { sent_step: { [row]: step }, started: { [row]: started }, ran: { [row]: ran } } = columns;
    sent += step ?? 0;
    run.fact[index] = {
      state,
      reason,
      attempt: columns.attempt[row],
      sent: step === null ? null : sent,
      queued: columns.queued[row],
      started,
      ended: ran === null ? null : ran + (started ?? 0),
      deadline: columns.deadline[row],
      before: columns.before[row].map(([attempt, sent, queued, started, ended, word]) => ({
        attempt, sent, queued, started, ended, word: wordOf(...facts.words[word]),
      })),
    };
  }
  return derive(run);
}

/** The word of every task. A task without a fact waits, is blocked, or was cancelled with its run. */
export function derive(run) {
  const stopped = new Uint8Array(run.size);
  const changed = [];
  const counts = {};
  for (let index = 0; index < run.size; index++) {
    const fact = run.fact[index];
    let word;
    // A fact that waits again (its upstream is run anew) is derived like a task without one.
    if (fact !== null && fact.reason !== "waiting") {
      word = wordOf(fact.state, fact.reason);
      if (fact.state === "error") stopped[index] = 1;
    } else if (run.upstream[index].some((up) => stopped[up] === 1)) {
      stopped[index] = 1;
      word = run.cancelled ? "cancelled" : "blocked";
    } else {
      word = run.cancelled ? "cancelled" : "waiting";
    }
    if (word !== run.word[index]) {
      run.word[index] = word;
      changed.push(index);
    }
    counts[word] = (counts[word] ?? 0) + 1;
  }
  run.counts = counts;
  return changed;
}

/** Everything that needs `index`, or that `index` needs. */
export function closure(edges, index) {
  const found = new Set();
  const waiting = [...edges[index]];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (!found.has(next)) {
      found.add(next);
      waiting.push(...edges[next]);
    }
  }
  return found;
}

/** The failed tasks that a blocked task needs, nearest first. */
export function causesOf(run, index, most = 5) {
  const causes = [];
  const seen = new Set([index]);
  let layer = [index];
  while (layer.length > 0 && causes.length < most) {
    const above = [];
    for (const at of layer) {
      for (const up of run.upstream[at]) {
        if (seen.has(up)) continue;
        seen.add(up);
        if (run.fact[up]?.state === "error") causes.push(up);
        else above.push(up);
      }
    }
    layer = above;
  }
  return causes.slice(0, most);
}

/** Moments of a task in ms since the run was created; null where nothing is known. */
export function momentsOf(fact) {
  if (fact === null || fact.sent === null) return null;
  const plus = (value) => (value === null ? null : fact.sent + value);
  return { sent: fact.sent, queued: plus(fact.queued), started: plus(fact.started), ended: plus(fact.ended), deadline: plus(fact.deadline) };
}

/** Milliseconds that the last attempt ran (or has run); null: it did not start. */
export function ranMs(fact, elapsed) {
  if (fact === null || fact.sent === null) return null;
  const begin = fact.started ?? (fact.ended === null ? null : 0);
  if (begin === null) return null;
  return (fact.ended === null ? Math.max(elapsed - fact.sent, begin) : fact.ended) - begin;
}

/** What a person on call looks at first: errors, what is tried again, what runs longest, what is blocked. */
export function attention(run, most = 60) {
  const wanted = [];
  for (let index = 0; index < run.size; index++) {
    if (urgencyOf(run.word[index]) <= 5) wanted.push(index);
  }
  const began = (index) => run.fact[index]?.sent ?? Infinity;
  wanted.sort((a, b) => urgencyOf(run.word[a]) - urgencyOf(run.word[b]) || began(a) - began(b) || a - b);
  return { shown: wanted.slice(0, most), total: wanted.length };
}

/** The chain of tasks that decided how long the run took: from what ended last, by who was waited for. */
export function criticalPath(run) {
  const ended = (index) => {
    const fact = run.fact[index];
    return fact === null || fact.sent === null ? null : fact.sent + (fact.ended ?? 0);
  };
  let last = null;
  for (let index = 0; index < run.size; index++) {
    if (ended(index) !== null && (last === null || ended(index) >= ended(last))) last = index;
  }
  const path = [];
  while (last !== null) {
    path.push(last);
    const waited = run.upstream[last].filter((up) => ended(up) !== null);
    last = waited.length === 0 ? null : waited.reduce((a, b) => (ended(b) > ended(a) ? b : a));
  }
  return path.reverse();
}

/** Counts in the order of urgency, only those that are not zero. */
export function countList(counts) {
  return WORDS.filter((word) => counts[word] > 0).map((word) => [word, counts[word]]);
}
