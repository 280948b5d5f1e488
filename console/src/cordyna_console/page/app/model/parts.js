// Parts of a graph: a task with what is around it, and siblings that are alike as one block. Pure.
//
// A part is drawn as a graph of its own: `members[at]` are the tasks of the whole graph that block `at`
// shows, and `inner` is the block of a task.
import { urgencyOf } from "../words.js";

/** So many siblings are worth folding. */
export const FOLD_FROM = 40;
/** What is not near enough to read a name is drawn as counted cells instead. */
const FOLD_UNTIL = 400;
/** Errors and retries stay blocks of their own. */
const QUIET_FROM = 2;
const FOCUS_LAYER = 300;

/** @returns {any} The graph whose blocks are these lists of tasks, the tasks of a list being alike. */
function quotient(graph, groups) {
  const inner = new Map();
  groups.forEach((members, at) => members.forEach((member) => inner.set(member, at)));
  const edges = (table) => groups.map(([first], at) => [...new Set(table[first].map((other) => inner.get(other)))].filter((other) => other !== undefined && other !== at));
  const rank = (column) => [...new Set(groups.map(([first]) => graph[column][first]))].sort((a, b) => a - b);
  const levels = rank("level");
  const servers = rank("server");
  return {
    size: groups.length, members: groups, inner, upstream: edges(graph.upstream), downstream: edges(graph.downstream),
    task: groups.map((members) => (members.length === 1 ? graph.task[members[0]] : `${members.length} × ${sharedName(members.map((member) => graph.task[member]))}`)),
    level: groups.map(([first]) => levels.indexOf(graph.level[first])),
    server: groups.map(([first]) => servers.indexOf(graph.server[first])),
    servers: servers.map((at) => graph.servers[at]),
  };
}

/** What all names begin with, where it says something; else the first of them. */
export function sharedName(names) {
  let length = names[0].length;
  for (const name of names) while (!name.startsWith(names[0].slice(0, length))) length -= 1;
  const stem = names[0].slice(0, length).replace(/[^\p{L}]+$/u, "");
  return stem.length >= 3 ? stem : names[0];
}

/** The task `index` with what is up to `steps` from it. */
export function focused(graph, { index, steps }) {
  const wanted = new Set([index]);
  for (const edges of [graph.upstream, graph.downstream]) {
    let layer = [index];
    for (let step = 0; step < steps; step++) {
      layer = layer.flatMap((at) => edges[at]).filter((at) => !wanted.has(at)).slice(0, FOCUS_LAYER);
      layer.forEach((at) => wanted.add(at));
    }
  }
  return quotient(graph, [...wanted].sort((a, b) => a - b).map((at) => [at]));
}

const known = new WeakMap();

/** Tasks of one server with the same upstreams and the same downstreams, where they are many. @returns {number[][]} */
export function siblings(graph) {
  if (known.has(graph)) return known.get(graph);
  const groups = new Map();
  for (let index = 0; index < graph.size; index++) {
    const key = `${graph.server[index]};${graph.level[index]};${graph.upstream[index]};${graph.downstream[index]}`;
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [index]);
    else members.push(index);
  }
  const found = [...groups.values()].filter((members) => members.length >= FOLD_FROM);
  known.set(graph, found);
  return found;
}

/** The siblings that are folded now: those that are quiet, not selected, and not of a group that was opened. */
export function foldsOf(graph, { selected = null, opened = new Set() } = {}) {
  return siblings(graph)
    .filter((members) => !opened.has(members[0]))
    .map((members) => members.filter((index) => index !== selected && urgencyOf(graph.word[index]) >= QUIET_FROM))
    .filter((members) => members.length >= FOLD_FROM / 2);
}

/** The graph with these siblings folded; null where that makes no picture whose names can be read. */
export function folded(graph, folds) {
  if (folds.length === 0) return null;
  const inFold = new Set(folds.flat());
  const rest = [];
  for (let index = 0; index < graph.size; index++) if (!inFold.has(index)) rest.push([index]);
  if (rest.length + folds.length > FOLD_UNTIL) return null;
  return quotient(graph, [...rest, ...folds].sort((a, b) => a[0] - b[0]));
}

/** The word of a block: of its tasks the one that a person looks for first. */
export function blockWord(graph, members) {
  let word = graph.word[members[0]];
  for (const index of members) if (urgencyOf(graph.word[index]) < urgencyOf(word)) word = graph.word[index];
  return word;
}

/** The text beside the name of a folded block: how many have completed; empty for a graph that does not run. */
export function blockNote(graph, members) {
  const done = members.filter((index) => graph.word[index] === "completed" || graph.word[index] === "reused").length;
  return graph.word[members[0]] === "declared" ? "" : `${done}/${members.length}`;
}
