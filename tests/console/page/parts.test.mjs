import assert from "node:assert/strict";
import { test } from "node:test";
import { blockNote, blockWord, focused, FOLD_FROM, folded, foldsOf, sharedName, siblings } from "../../../console/src/cordyna_console/page/app/model/parts.js";

/** `first`, then `width` siblings, then `last`; the word of each sibling by its number. */
function fan(width, words = {}) {
  const size = width + 2;
  const middle = Array.from({ length: width }, (_, at) => at + 1);
  const upstream = [[], ...middle.map(() => [0]), middle];
  const downstream = [middle, ...middle.map(() => [size - 1]), []];
  return {
    size, upstream, downstream, servers: ["s"], server: Array(size).fill(0), level: [0, ...middle.map(() => 1), 2],
    task: ["first", ...middle.map((at) => `part-${at}`), "last"],
    word: ["completed", ...middle.map((at) => words[at] ?? "completed"), "waiting"],
  };
}

test("siblings that are alike are one block, with the edges of each", () => {
  const graph = fan(300);
  const part = folded(graph, foldsOf(graph));
  assert.deepEqual(part.task, ["first", "300 × part", "last"]);
  assert.deepEqual(part.upstream, [[], [0], [1]]);
  assert.deepEqual(part.downstream, [[1], [2], []]);
  assert.deepEqual(part.level, [0, 1, 2]);
  assert.equal(part.inner.get(200), 1);
  assert.deepEqual(part.members.flat(), graph.task.map((_, at) => at));
});

test("what failed, is tried again or is selected stays a block of its own", () => {
  const graph = fan(300, { 7: "error", 8: "retry wait" });
  const part = folded(graph, foldsOf(graph, { selected: 9 }));
  assert.deepEqual(part.task, ["first", "297 × part", "part-7", "part-8", "part-9", "last"]);
  assert.deepEqual(part.upstream[5].toSorted(), [1, 2, 3, 4]);
});

test("few siblings, an opened group, and a graph that stays too large are not folded", () => {
  assert.deepEqual(siblings(fan(FOLD_FROM - 1)), []);
  assert.equal(folded(fan(5), foldsOf(fan(5))), null);
  const graph = fan(60);
  assert.deepEqual(foldsOf(graph, { opened: new Set([1]) }), []);
  const broken = fan(1_000, Object.fromEntries(Array.from({ length: 500 }, (_, at) => [at + 1, "error"])));
  assert.equal(foldsOf(broken).length, 1);
  assert.equal(folded(broken, foldsOf(broken)), null);
});

test("a folded block has the word that a person looks for first, and counts what completed", () => {
  const graph = fan(50, { 3: "started", 4: "waiting", 5: "reused" });
  const [members] = foldsOf(graph);
  assert.equal(blockWord(graph, members), "started");
  assert.equal(blockNote(graph, members), "48/50");
  assert.equal(blockNote({ ...graph, word: graph.word.map(() => "declared") }, members), "");
});

test("a focus holds what is some steps from a task, in the order of the graph", () => {
  const graph = fan(3);
  const part = focused(graph, { index: 2, steps: 1 });
  assert.deepEqual(part.task, ["first", "part-2", "last"]);
  assert.deepEqual(part.upstream, [[], [0], [1]]);
  assert.deepEqual(part.members, [[0], [2], [4]]);
});

test("a folded block is named by what its tasks' names share", () => {
  for (const [names, name] of [
    [["loaf-000", "loaf-001"], "loaf"], [["part-1", "part-10"], "part"], [["a1", "a2"], "a1"], [["red", "blue"], "red"], [["größe-1", "größe-2"], "größe"],
    [["same", "same"], "same"], [["2026-01", "2026-02"], "2026-01"],
  ]) assert.equal(sharedName(names), name);
});
