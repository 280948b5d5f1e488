// Computes layouts beside the page, so that ten thousand tasks do not hold up a click.
import { layout } from "./layout.js";

self.onmessage = ({ data }) => {
  const result = layout(data.graph);
  self.postMessage({ id: data.id, result }, { transfer: [result.x.buffer, result.y.buffer] });
};
