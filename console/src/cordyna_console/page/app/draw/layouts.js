// Asks the worker for layouts: one worker for the page, answers by number.
import { layout } from "./layout.js";

const SMALL = 60;
let worker = null;
let number = 0;
const waiting = new Map();

/** The layout of a graph. A small one is computed at once: starting a worker would take longer. */
export function layoutOf(graph) {
  if (graph.size <= SMALL) return Promise.resolve(layout(graph));
  if (worker === null) {
    worker = new Worker("/app/draw/layout.worker.js", { type: "module" });
    worker.onmessage = ({ data }) => {
      waiting.get(data.id)?.(data.result);
      waiting.delete(data.id);
    };
  }
  const id = ++number;
  const { size, level, server, servers, upstream } = graph;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    worker.postMessage({ id, graph: { size, level, server, servers, upstream } });
  });
}
