// The picture of a graph on a canvas: far, middle, near. Only what is in view is drawn, once a frame.
//
// Far: a cell for each level of a server, with counts as a stacked bar. Middle: plain blocks, edges
// of the selected task. Near: name, sign, duration; edges as curves.
import { urgencyOf } from "../words.js";
import { closure } from "../model/run.js";
import { BLOCK_H, BLOCK_W } from "./layout.js";
import { GraphPainter, isFar } from "./graph-paint.js";

const SCALE_MAX = 1.6;

export class GraphPicture {
  /** @type {any} */ graph = null;
  /** @type {any} */ layout = null;
  /** @type {Set<number> | null} */ related = null;
  /** @type {Int32Array} */ cellOf = new Int32Array(0);
  size = { w: 0, h: 0 };
  ratio = 1;
  moved = false;
  drawn = { level: "", blocks: 0, edges: 0 };

  /** `onSelect(index or null)`, `onOpen(index)`. */
  constructor(canvas, { onSelect, onOpen }) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.onSelect = onSelect;
    this.onOpen = onOpen;
    this.view = { x: 0, y: 0, scale: 1 };
    this.graph = null;
    this.layout = null;
    this.selected = null;
    this.tinted = null;
    this.frame = 0;
    this.painter = new GraphPainter();
    this.listeners = [
      ["pointerdown", (event) => this.press(event)],
      ["pointermove", (event) => this.hover(event)],
      ["wheel", (event) => this.wheel(event)],
      ["dblclick", (event) => this.open(event)],
      ["keydown", (event) => this.key(event)],
    ];
    for (const [name, listener] of this.listeners) canvas.addEventListener(name, listener, { passive: false });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas);
  }

  close() {
    this.observer.disconnect();
    for (const [name, listener] of this.listeners) this.canvas.removeEventListener(name, listener);
    cancelAnimationFrame(this.frame);
  }

  /** graph: { size, task, upstream, downstream, servers, word(index), note(index) }. */
  show(graph, layout) {
    this.graph = graph;
    this.layout = layout;
    this.cellOf = new Int32Array(graph.size);
    layout.cells.forEach((cell, at) => cell.members.forEach((index) => { this.cellOf[index] = at; }));
    this.resize();
    this.fit();
  }

  select(index, { centre = false } = {}) {
    this.selected = index;
    this.related = index === null || this.graph === null ? null
      : new Set([index, ...closure(this.graph.upstream, index), ...closure(this.graph.downstream, index)]);
    if (centre && index !== null && this.layout !== null) this.centreOn(index);
    this.redraw();
  }

  tint(indexes) {
    this.tinted = indexes;
    this.redraw();
  }

  resize() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const { clientWidth, clientHeight } = this.canvas;
    this.size = { w: clientWidth, h: clientHeight };
    if (this.canvas.width !== Math.round(clientWidth * ratio) || this.canvas.height !== Math.round(clientHeight * ratio)) {
      this.canvas.width = Math.round(clientWidth * ratio);
      this.canvas.height = Math.round(clientHeight * ratio);
      if (this.layout !== null && !this.moved) this.fit();
    }
    this.ratio = ratio;
    this.redraw();
  }

  fit() {
    const room = { w: this.size.w - 56, h: this.size.h - 76 };
    const scale = Math.min(room.w / this.layout.width, room.h / this.layout.height, 1.1);
    this.view.scale = Math.max(scale, 1e-4);
    this.view.x = (this.size.w - this.layout.width * this.view.scale) / 2;
    this.view.y = (this.size.h - 26 - this.layout.height * this.view.scale) / 2;
    this.moved = false;
    this.redraw();
  }

  centreOn(index, scale = null) {
    if (scale !== null) this.view.scale = scale;
    this.view.x = this.size.w / 2 - (this.layout.x[index] + BLOCK_W / 2) * this.view.scale;
    this.view.y = this.size.h / 2 - (this.layout.y[index] + BLOCK_H / 2) * this.view.scale;
    this.moved = true;
    this.redraw();
  }

  near(index = null) {
    const at = index ?? this.selected ?? this.nearestToCentre();
    if (at !== null) this.centreOn(at, 1);
  }

  nearestToCentre() {
    if (this.graph === null || this.graph.size === 0) return null;
    const [cx, cy] = this.world(this.size.w / 2, this.size.h / 2);
    let best = 0;
    let distance = Infinity;
    for (let index = 0; index < this.graph.size; index++) {
      const d = (this.layout.x[index] - cx) ** 2 + (this.layout.y[index] - cy) ** 2;
      if (d < distance) [best, distance] = [index, d];
    }
    return best;
  }

  zoom(factor, px = this.size.w / 2, py = this.size.h / 2) {
    const [wx, wy] = this.world(px, py);
    const least = Math.min(0.02, this.size.w / this.layout.width / 3);
    this.view.scale = Math.min(Math.max(this.view.scale * factor, least), SCALE_MAX);
    this.view.x = px - wx * this.view.scale;
    this.view.y = py - wy * this.view.scale;
    this.moved = true;
    this.redraw();
  }

  world(px, py) {
    return [(px - this.view.x) / this.view.scale, (py - this.view.y) / this.view.scale];
  }

  press(event) {
    if (this.layout === null) return;
    const from = { x: event.clientX, y: event.clientY, vx: this.view.x, vy: this.view.y };
    let moved = false;
    this.canvas.setPointerCapture(event.pointerId);
    const move = (to) => {
      const dx = to.clientX - from.x;
      const dy = to.clientY - from.y;
      moved ||= Math.abs(dx) + Math.abs(dy) > 4;
      if (moved) {
        this.view.x = from.vx + dx;
        this.view.y = from.vy + dy;
        this.moved = true;
        this.redraw();
      }
    };
    const up = (to) => {
      this.canvas.removeEventListener("pointermove", move);
      this.canvas.removeEventListener("pointerup", up);
      this.canvas.removeEventListener("pointercancel", up);
      if (!moved && to.type === "pointerup") this.click(to);
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", up);
    this.canvas.addEventListener("pointercancel", up);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = this.world(event.clientX - box.left, event.clientY - box.top);
    // The layout is a grid of cells: look only into the cell that is hit.
    const slack = 4 / this.view.scale;
    for (const cell of this.layout.cells) {
      if (x < cell.x - slack || x > cell.x + cell.w + slack || y < cell.y - slack || y > cell.y + cell.h + slack) continue;
      const hit = cell.members.find((index) =>
        x >= this.layout.x[index] - slack && x <= this.layout.x[index] + BLOCK_W + slack
        && y >= this.layout.y[index] - slack && y <= this.layout.y[index] + BLOCK_H + slack);
      if (hit !== undefined) return { index: hit, cell };
      return { index: null, cell };
    }
    return { index: null, cell: null };
  }

  click(event) {
    const { index, cell } = this.at(event);
    if (this.isFar() && cell !== null) {
      const worst = [...cell.members].sort((a, b) => urgencyOf(this.graph.word(a)) - urgencyOf(this.graph.word(b)))[0];
      this.onSelect(worst);
      this.centreOn(worst, 0.7);
      return;
    }
    this.onSelect(index);
  }

  /** The whole name and state of the block below the pointer: what is drawn may be shortened. */
  hover(event) {
    if (this.layout === null || event.buttons !== 0) return;
    const { index, cell } = this.at(event);
    let text = "";
    if (this.isFar() && cell !== null) text = `${cell.members.length.toLocaleString("en")} tasks of ${this.graph.servers[this.layout.lanes[cell.lane].server]}, level ${cell.level + 1}`;
    else if (index !== null) text = [this.graph.task[index], this.graph.word(index), this.graph.note(index)].filter(Boolean).join(", ");
    if (this.canvas.title !== text) this.canvas.title = text;
  }

  open(event) {
    const { index } = this.at(event);
    if (index !== null && !this.isFar()) this.onOpen(index);
  }

  wheel(event) {
    if (this.layout === null) return;
    event.preventDefault();
    const box = this.canvas.getBoundingClientRect();
    this.zoom(Math.exp(-event.deltaY * 0.0015), event.clientX - box.left, event.clientY - box.top);
  }

  key(event) {
    if (this.layout === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    if (step !== undefined) {
      const next = this.neighbour(step);
      if (next !== null) {
        this.onSelect(next);
        this.centreOn(next);
      }
    } else if (event.key === "Enter" && this.selected !== null) this.onOpen(this.selected);
    else if (event.key === "+") this.zoom(1.3);
    else if (event.key === "-") this.zoom(1 / 1.3);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  neighbour(step) {
    const from = this.selected;
    if (from === null) return this.graph.size > 0 ? this.nearestToCentre() : null;
    if (step === "left") return closest(this.graph.upstream[from], this.layout.y, this.layout.y[from]);
    if (step === "right") return closest(this.graph.downstream[from], this.layout.y, this.layout.y[from]);
    const here = this.layout.cells[this.cellOf[from]];
    const column = this.layout.cells.filter((cell) => cell.level === here.level).sort((a, b) => a.lane - b.lane).flatMap((cell) => cell.members);
    return column[column.indexOf(from) + (step === "up" ? -1 : 1)] ?? null;
  }

  isFar() {
    return isFar(this.view, this.graph.size);
  }

  redraw() {
    if (this.frame === 0 && this.layout !== null) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.draw();
      });
    }
  }

  draw() {
    const begin = performance.now();
    const c = this.context;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.clearRect(0, 0, this.size.w, this.size.h);
    const { graph, layout, view, size, selected, related, tinted } = this;
    this.drawn = this.painter.draw(c, { graph, layout, view, size, selected, related: related ?? null, tinted });
    this.canvas.dataset.level = this.drawn.level;
    this.canvas.dataset.ms = (performance.now() - begin).toFixed(1);
  }
}

const STEPS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

function closest(candidates, y, here) {
  return candidates.length === 0 ? null : candidates.reduce((a, b) => (Math.abs(y[b] - here) < Math.abs(y[a] - here) ? b : a));
}
