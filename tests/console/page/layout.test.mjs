import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCK_H, BLOCK_W, layout } from "../../../console/src/cordyna_console/page/app/draw/layout.js";

function random(seed) {
  let state = seed;
  return () => { state = (state * 1103515245 + 12345) % 2 ** 31; return state / 2 ** 31; };
}
/** A graph of `size` tasks on `servers` servers, each needing up to three earlier ones. */
function graph(size, servers, seed) {
  const next = random(seed);
  const upstream = [];
  const level = [];
  for (let index = 0; index < size; index++) {
    const needs = new Set();
    for (let at = 0; at < 3 && index > 0; at++) if (next() < 0.7) needs.add(Math.floor(index * next()));
    upstream.push([...needs]);
    level.push([...needs].reduce((most, up) => Math.max(most, level[up] + 1), 0));
  }
  return { size, level, upstream, servers: Array.from({ length: servers }, (_, at) => `s${at}`), server: level.map(() => Math.floor(next() * servers)) };
}

test("no two blocks overlap, and an upstream is left of what needs it", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const given = graph(1 + (seed * 7) % 200, 1 + (seed % 5), seed);
    const { x, y, cells, lanes, width, height } = layout(given);
    const places = new Set([...x].map((left, index) => `${left} ${y[index]}`));
    assert.equal(places.size, given.size);
    given.upstream.forEach((needs, index) => needs.forEach((up) => assert.ok(x[up] + BLOCK_W < x[index])));
    const shown = cells.flatMap((cell) => cell.members).sort((a, b) => a - b);
    assert.deepEqual(shown, given.level.map((_, index) => index));
    for (let index = 0; index < given.size; index++) {
      const lane = lanes.find(({ server }) => server === given.server[index]);
      assert.ok(y[index] >= lane.y - 0.5 && y[index] + BLOCK_H <= lane.y + lane.h + 0.5);
      assert.ok(x[index] >= 0 && x[index] + BLOCK_W <= width + 0.5 && y[index] + BLOCK_H <= height + 0.5);
    }
  }
});

test("a fan-out of thousands is a block and not a line", () => {
  const size = 5_000;
  const upstream = Array.from({ length: size }, (_, index) => (index === 0 ? [] : [0]));
  const { width, height } = layout({ size, upstream, level: upstream.map((needs) => needs.length), server: upstream.map(() => 0), servers: ["s"] });
  assert.ok(width / height < 8 && height / width < 8, `${width} x ${height}`);
});

test("ten thousand tasks are laid out within the budget", () => {
  const given = graph(10_000, 6, 7);
  const begin = process.cpuUsage();
  layout(given);
  const { user, system } = process.cpuUsage(begin);
  const ms = (user + system) / 1000;
  console.log(`layout of 10,000 tasks: ${ms.toFixed(0)} ms CPU`);
  assert.ok(ms < 3 * 300);
});

test("nothing is laid out as nothing", () => {
  const { cells, width, height } = layout({ size: 0, level: [], server: [], servers: [], upstream: [] });
  assert.deepEqual([cells.length, width > 0, height > 0], [0, true, true]);
});
