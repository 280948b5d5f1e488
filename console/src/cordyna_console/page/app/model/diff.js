// Two runs side by side, and two JSON values side by side. Pure.
import { ranMs } from "./run.js";

/** Tasks of two runs by name: in only one of them, with another word, or slower and faster. */
export function compareRuns(a, b) {
  const rows = [];
  for (const name of new Set([...a.task, ...b.task])) {
    const left = a.index.get(name);
    const right = b.index.get(name);
    const ranA = left === undefined ? null : ranMs(a.fact[left], Infinity);
    const ranB = right === undefined ? null : ranMs(b.fact[right], Infinity);
    const finite = (value) => (value === null || !Number.isFinite(value) ? null : value);
    const before = finite(ranA);
    const after = finite(ranB);
    rows.push({
      task: name,
      a: left === undefined ? null : a.word[left],
      b: right === undefined ? null : b.word[right],
      ranA: before,
      ranB: after,
      difference: before === null || after === null ? null : after - before,
    });
  }
  const differs = (row) => (row.a !== row.b ? 1 : 0);
  return rows.sort((x, y) => differs(y) - differs(x) || Math.abs(y.difference ?? 0) - Math.abs(x.difference ?? 0)
    || (x.task < y.task ? -1 : 1));
}

/** Where two JSON values differ: [path, before, after], at most `most`. */
export function compareJson(a, b, most = 200) {
  const found = [];
  const walk = (path, x, y) => {
    if (found.length >= most || Object.is(x, y)) return;
    const objects = isContainer(x) && isContainer(y) && Array.isArray(x) === Array.isArray(y);
    if (!objects) {
      found.push([path || "the whole", x, y]);
      return;
    }
    for (const key of new Set([...Object.keys(x), ...Object.keys(y)])) {
      walk(path ? `${path}.${key}` : key, x[key], y[key]);
    }
  };
  walk("", a, b);
  return found;
}
function isContainer(value) {
  return typeof value === "object" && value !== null;
}
