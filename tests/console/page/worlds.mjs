// Puts the rows of simulated runs (tests/console/worlds.py, one a line) into the page's model, some
// twice and some late, and compares every task with the view of the whole run, field by field.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { applyFacts, causesOf, createRun } from "../../../console/src/cordyna_console/page/app/model/run.js";

let runs = 0;
let tasks = 0;
const words = new Map();
for await (const line of createInterface({ input: process.stdin })) {
  const { seed, structure, steps } = JSON.parse(line);
  const run = createRun(structure);
  const hasty = createRun(structure);
  runs += 1;
  steps.forEach(({ message, state, cancelled, tasks: wanted }, step) => {
    applyFacts(run, message);
    if ((seed + step) % 3 === 0) applyFacts(run, message);
    assert.equal(run.state, state);
    assert.equal(run.cancelled, cancelled);
    wanted.forEach(([word, attempt, blockedBy], index) => {
      const where = `seed ${seed}, ${structure.task[index]}, step ${step}`;
      assert.equal(run.word[index], word, where);
      assert.equal(run.fact[index]?.attempt ?? 0, attempt, where);
      if (word === "blocked") {
        const causes = causesOf(run, index, 100).map((at) => structure.task[at]).sort();
        assert.deepEqual(causes, blockedBy, where);
      }
      words.set(word, (words.get(word) ?? 0) + 1);
      tasks += 1;
    });
    // A follower whose connection broke sees only every second message, then all of them at once.
    if (step % 2 === 1 || step === steps.length - 1) {
      steps.slice(0, step + 1).forEach(({ message: earlier }) => applyFacts(hasty, earlier));
      assert.deepEqual(hasty.word, run.word, `seed ${seed}, step ${step}`);
    }
  });
}
console.log(`${runs} simulated runs, ${tasks} task states: ${[...words].map(([word, count]) => `${count} ${word}`).join(", ")}`);
assert.ok(runs >= 100, "too few runs were compared");
for (const word of ["blocked", "error", "completed", "retry wait", "cancelled", "started", "waiting"]) assert.ok(words.has(word), word);
