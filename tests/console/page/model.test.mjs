import assert from "node:assert/strict";
import { test } from "node:test";
import {
  applyFacts, attention, causesOf, closure, countList, createRun, criticalPath, momentsOf, ranMs,
} from "../../../console/src/cordyna_console/page/app/model/run.js";
import { compareJson, compareRuns } from "../../../console/src/cordyna_console/page/app/model/diff.js";

const WHY = { sentence: "so.", beside: [], next: { do: "watch", command: "dyna watch X" }, then: null, traceback: [] };

/** The differences from one index to the next, backwards, from the task itself on. */
function stepsOf(needs, index) {
  return needs.map((up, at) => (at === 0 ? index : needs[at - 1]) - up);
}

/** `a  b<-a  c<-a,b`, each on server s. */
function structure(text) {
  const words = text.split(/\s+/).map((word) => word.split("<-"));
  const task = words.map(([name]) => name);
  const upstream = words.map(([, needs]) => (needs ? needs.split(",").map((name) => task.indexOf(name)) : []));
  const level = [];
  upstream.forEach((needs) => level.push(needs.reduce((most, up) => Math.max(most, level[up] + 1), 0)));
  return { plan_id: "P", target: task.at(-1), servers: ["s"], owners: [], task, server: task.map(() => 0), owner: task.map(() => -1), level, upstream_steps: upstream.map(stepsOf) };
}

/** rows: { index: [state, reason, sent, started, ended] } */
function facts(rows, more = {}) {
  const entries = Object.entries(rows);
  const column = (at) => entries.map(([, row]) => row[at] ?? null);
  let before = 0;
  const step = (sent) => {
    const by = sent === null ? null : sent - before;
    before = sent ?? before;
    return by;
  };
  return {
    cursor: "c", state: "running", cancelled: false, created_at: "2026-11-28T12:00:00Z", ended_at: null, why: WHY,
    words: entries.map(([, [state, reason]]) => [state, reason]),
    columns: {
      step: entries.map(([index], at) => Number(index) - (at === 0 ? 0 : Number(entries[at - 1][0]))), word: entries.map((_, at) => at), attempt: entries.map(() => 1),
      sent_step: column(2).map(step), queued: entries.map(() => null), started: column(3),
      ran: column(4).map((ended, at) => (ended === null ? null : ended - (column(3)[at] ?? 0))),
      deadline: entries.map(() => null), before: entries.map(() => []),
    },
    ...more,
  };
}

test("differences are added up again", () => {
  const run = createRun(structure("a b<-a c d<-c,a,b"));
  assert.deepEqual(run.upstream, [[], [0], [], [2, 0, 1]]);
  assert.deepEqual(run.downstream, [[1, 3], [3], [3], []]);
  applyFacts(run, facts({
    0: ["completed", null, 100, 20, 50], 1: ["pending", "waiting"], 2: ["error", "timeout", 90, null, 7], 3: ["started", null, 400, 3],
  }));
  const times = run.fact.map(({ sent, started, ended }) => [sent, started, ended]);
  assert.deepEqual(times, [[100, 20, 50], [null, null, null], [90, null, 7], [400, 3, null]]);
});

test("a run without facts waits", () => {
  const run = createRun(structure("a b<-a"));
  applyFacts(run, facts({}));
  assert.deepEqual(run.counts, { waiting: 2 });
});

test("what is downstream of a final error is blocked, and healed with it", () => {
  const run = createRun(structure("a b<-a c<-b d"));
  applyFacts(run, facts({ 0: ["error", "failed", 0, 1, 5], 3: ["started", null, 0, 1] }));
  assert.deepEqual(run.word, ["error", "blocked", "blocked", "started"]);
  assert.deepEqual(causesOf(run, 2), [0]);
  applyFacts(run, facts({ 0: ["completed", null, 0, 1, 9] }));
  assert.deepEqual(run.word, ["completed", "waiting", "waiting", "started"]);
});

test("of many causes the first ones are named", () => {
  const failed = [..."abcdefg"];
  const run = createRun(structure(`${failed.join(" ")} x<-${failed.join(",")}`));
  applyFacts(run, facts(Object.fromEntries(failed.map((_, index) => [index, ["error", "failed", 0, 1, 5]]))));
  assert.deepEqual(causesOf(run, 7), [0, 1, 2, 3, 4]);
  assert.deepEqual(causesOf(run, 7, 9), [0, 1, 2, 3, 4, 5, 6]);
});

test("what waits for a retry blocks nothing", () => {
  const run = createRun(structure("a b<-a"));
  applyFacts(run, facts({ 0: ["pending", "retry_wait", 0, 1, 5] }));
  assert.deepEqual(run.word, ["retry wait", "waiting"]);
});

test("what waits again is derived like a task without a fact", () => {
  const run = createRun(structure("a b<-a"));
  applyFacts(run, facts({ 0: ["error", "failed", 0, 1, 2], 1: ["pending", "waiting", 0] }));
  assert.deepEqual(run.word, ["error", "blocked"]);
  applyFacts(run, facts({ 0: ["completed", null, 0, 1, 2] }));
  assert.deepEqual(run.word, ["completed", "waiting"]);
});

test("a cancelled run cancels what has no fact", () => {
  const run = createRun(structure("a b<-a c"));
  applyFacts(run, facts({ 0: ["error", "cancelled", 0] }, { cancelled: true, state: "error" }));
  assert.deepEqual(run.word, ["cancelled", "cancelled", "cancelled"]);
});

test("rows that come twice or late change nothing more", () => {
  const run = createRun(structure("a b<-a"));
  const rows = facts({ 0: ["completed", null, 0, 1, 5] });
  assert.deepEqual(applyFacts(run, rows), [0]);
  assert.deepEqual(applyFacts(run, rows), []);
});

test("closure, moments and durations", () => {
  const run = createRun(structure("a b<-a c<-a,b d"));
  assert.deepEqual([...closure(run.downstream, 0)].sort(), [1, 2]);
  assert.deepEqual([...closure(run.upstream, 2)].sort(), [0, 1]);
  applyFacts(run, facts({ 0: ["completed", null, 100, 20, 50], 1: ["started", null, 160, 10] }));
  assert.deepEqual(momentsOf(run.fact[0]), { sent: 100, queued: null, started: 120, ended: 150, deadline: null });
  assert.equal(momentsOf(null), null);
  assert.equal(ranMs(run.fact[0], 1000), 30);
  assert.equal(ranMs(run.fact[1], 1000), 830);
  assert.equal(ranMs(null, 1000), null);
  // The clock of the page may be behind: nothing has run for less than no time.
  assert.equal(ranMs(run.fact[1], 165), 0);
});

test("attention shows errors first and says how many there are", () => {
  const run = createRun(structure("a b<-a c d"));
  applyFacts(run, facts({ 0: ["error", "failed", 0, 1, 2], 2: ["started", null, 5, 1], 3: ["completed", null, 0, 1, 2] }));
  assert.deepEqual(attention(run), { shown: [0, 2, 1], total: 3 });
  assert.deepEqual(attention(run, 1), { shown: [0], total: 3 });
  assert.deepEqual(countList(run.counts).map(([word]) => word), ["error", "started", "blocked", "completed"]);
});

test("critical path follows who was waited for", () => {
  const run = createRun(structure("a b c<-a,b d<-c"));
  applyFacts(run, facts({
    0: ["completed", null, 0, 1, 10], 1: ["completed", null, 0, 1, 90], 2: ["completed", null, 91, 1, 5], 3: ["completed", null, 97, 1, 4],
  }));
  assert.deepEqual(criticalPath(run), [1, 2, 3]);
});

test("two runs are compared by name", () => {
  const a = createRun(structure("x y<-x"));
  const b = createRun(structure("x z<-x"));
  applyFacts(a, facts({ 0: ["completed", null, 0, 0, 10], 1: ["completed", null, 10, 0, 5] }));
  applyFacts(b, facts({ 0: ["error", "failed", 0, 0, 40], 1: ["started", null, 50, 0] }));
  const rows = compareRuns(a, b);
  assert.deepEqual(rows.find((row) => row.task === "x"), { task: "x", a: "completed", b: "error", ranA: 10, ranB: 40, difference: 30 });
  assert.equal(rows.find((row) => row.task === "y").b, null);
  assert.equal(rows.find((row) => row.task === "z").ranB, null);
});

test("what differs between two runs is first, then what took longest to change", () => {
  const a = createRun(structure("a b c"));
  const b = createRun(structure("a b c"));
  const done = (ran) => ["completed", null, 0, 0, ran];
  applyFacts(a, facts({ 0: done(10), 1: done(10), 2: done(10) }));
  applyFacts(b, facts({ 0: done(11), 1: done(90), 2: ["error", "failed", 0, 0, 10] }));
  assert.deepEqual(compareRuns(a, b).map((row) => row.task), ["c", "b", "a"]);
});

test("two values are compared by path", () => {
  assert.deepEqual(compareJson({ a: 1, b: [1, 2] }, { a: 1, b: [1, 3], c: null }), [["b.1", 2, 3], ["c", undefined, null]]);
  assert.deepEqual(compareJson(1, [1]), [["the whole", 1, [1]]]);
  assert.deepEqual(compareJson([1], { 0: 1 }), [["the whole", [1], { 0: 1 }]]);
  assert.deepEqual(compareJson(null, null), []);
});
