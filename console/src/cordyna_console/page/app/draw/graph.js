// The picture of a graph on a canvas: far, middle, near. Only what is in view is drawn, once a frame.
//
// Far: a cell for each level of a server, with counts as a stacked bar. Middle: plain blocks, edges
// of the selected task. Near: name, sign, duration; edges as curves.
import { signOf, urgencyOf, WORDS } from "../words.js";
import { closure } from "../model/run.js";
import { BLOCK_H, BLOCK_W } from "./layout.js";
import { colours } from "./palette.js";

const NEAR_PX = 84;
const FAR_PX = 9;
const EDGES_MAX = 2_500;
const SCALE_MAX = 1.6;

export class GraphPicture {
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
    this.drawn = { level: "", blocks: 0, edges: 0, ms: 0 };
    this.listeners = [
      ["pointerdown", (event) => this.press(event)],
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
    return BLOCK_W * this.view.scale < FAR_PX * 4 && this.graph.size > 40 && BLOCK_H * this.view.scale < FAR_PX;
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
    this.drawn = { level: "", blocks: 0, edges: 0, ms: 0 };
    this.drawLanes(c);
    if (this.isFar()) this.drawFar(c);
    else this.drawBlocks(c);
    this.drawn.ms = performance.now() - begin;
    this.canvas.dataset.level = this.drawn.level;
    this.canvas.dataset.ms = this.drawn.ms.toFixed(1);
  }

  box(index) {
    const { x, y, scale } = this.view;
    return [this.layout.x[index] * scale + x, this.layout.y[index] * scale + y, BLOCK_W * scale, BLOCK_H * scale];
  }

  drawLanes(c) {
    const paint = colours();
    const { x, y, scale } = this.view;
    c.font = `600 12px ${paint.font}`;
    c.textBaseline = "bottom";
    for (const [at, lane] of this.layout.lanes.entries()) {
      const top = lane.y * scale + y - Math.min(15, 15 * scale + 4);
      const high = lane.h * scale + Math.min(30, 30 * scale + 8);
      if (top > this.size.h || top + high < 0) continue;
      if (this.layout.lanes.length > 1) {
        c.fillStyle = at % 2 === 0 ? paint.sunk : paint.card;
        c.globalAlpha = 0.6;
        c.fillRect(0, top, this.size.w, high);
        c.globalAlpha = 1;
      }
      if (high > 16) {
        c.fillStyle = paint.soft;
        c.fillText(this.graph.servers[lane.server], 8, Math.max(top + 13, 13));
      }
    }
    void x;
  }

  drawFar(c) {
    const paint = colours();
    const { x, y, scale } = this.view;
    this.drawn.level = "far";
    c.textBaseline = "middle";
    for (const cell of this.layout.cells) {
      const left = cell.x * scale + x;
      const top = cell.y * scale + y;
      const wide = Math.max(cell.w * scale, 3);
      const high = Math.max(cell.h * scale, 3);
      if (left > this.size.w || left + wide < 0 || top > this.size.h || top + high < 0) continue;
      this.drawn.blocks += 1;
      const counts = {};
      for (const index of cell.members) counts[this.graph.word(index)] = (counts[this.graph.word(index)] ?? 0) + 1;
      let at = top;
      for (const word of DRAWN) {
        if (counts[word] === undefined) continue;
        const part = high * counts[word] / cell.members.length;
        c.fillStyle = paint.word[word];
        c.globalAlpha = word === "waiting" ? 0.35 : 0.85;
        c.fillRect(left, at, wide, Math.max(part, 1));
        at += part;
      }
      c.globalAlpha = 1;
      if (this.related !== null && this.selected !== null && cell.members.includes(this.selected)) {
        c.strokeStyle = paint.accent;
        c.lineWidth = 2;
        c.strokeRect(left - 1, top - 1, wide + 2, high + 2);
      }
      const worst = DRAWN.find((word) => counts[word] !== undefined);
      if (wide > 40 && high > 16) {
        const text = `${signOf(worst)} ${counts[worst]}/${cell.members.length}`;
        c.font = `600 11px ${paint.font}`;
        const width = c.measureText(text).width + 8;
        c.fillStyle = paint.card;
        c.globalAlpha = 0.9;
        c.fillRect(left + wide / 2 - width / 2, top + high / 2 - 8, width, 16);
        c.globalAlpha = 1;
        c.fillStyle = paint.text;
        c.fillText(text, left + wide / 2 - width / 2 + 4, top + high / 2 + 1);
      }
    }
  }

  inView() {
    const [x0, y0] = this.world(-20, -20);
    const [x1, y1] = this.world(this.size.w + 20, this.size.h + 20);
    const found = [];
    for (const cell of this.layout.cells) {
      if (cell.x > x1 || cell.x + cell.w < x0 || cell.y > y1 || cell.y + cell.h < y0) continue;
      for (const index of cell.members) {
        const x = this.layout.x[index];
        const y = this.layout.y[index];
        if (x <= x1 && x + BLOCK_W >= x0 && y <= y1 && y + BLOCK_H >= y0) found.push(index);
      }
    }
    return found;
  }

  drawBlocks(c) {
    const near = BLOCK_W * this.view.scale >= NEAR_PX;
    this.drawn.level = near ? "near" : "middle";
    const shown = this.inView();
    this.drawEdges(c, shown, near);
    const paint = colours();
    for (const index of shown) {
      if (near) this.drawNear(c, paint, index);
      else this.drawMiddle(c, paint, index);
    }
    this.drawn.blocks = shown.length;
  }

  drawEdges(c, shown, near) {
    const paint = colours();
    const all = this.graph.size <= 400 || near;
    let lines = 0;
    const strong = [];
    c.strokeStyle = paint["line-strong"];
    c.lineWidth = near ? 1.2 : 0.8;
    c.globalAlpha = this.selected === null ? 0.75 : 0.3;
    c.beginPath();
    const drawnTo = new Set(shown);
    const visit = (up, index) => {
      const isRelated = this.related !== null && this.related.has(up) && this.related.has(index);
      if (isRelated) strong.push([up, index]);
      else if (all && lines < EDGES_MAX) {
        this.curve(c, up, index, near);
        lines += 1;
      }
    };
    for (const index of shown) {
      for (const up of this.graph.upstream[index]) visit(up, index);
      for (const down of this.graph.downstream[index]) if (!drawnTo.has(down)) visit(index, down);
    }
    c.stroke();
    c.globalAlpha = 1;
    c.strokeStyle = paint.accent;
    c.lineWidth = near ? 2.2 : 1.4;
    c.beginPath();
    for (const [up, index] of strong.slice(0, EDGES_MAX)) this.curve(c, up, index, near);
    c.stroke();
    this.drawn.edges = lines + strong.length;
  }

  curve(c, from, to, near) {
    const { x, y, scale } = this.view;
    const x0 = (this.layout.x[from] + BLOCK_W) * scale + x;
    const y0 = (this.layout.y[from] + BLOCK_H / 2) * scale + y;
    const x1 = this.layout.x[to] * scale + x;
    const y1 = (this.layout.y[to] + BLOCK_H / 2) * scale + y;
    c.moveTo(x0, y0);
    if (near) {
      const bend = Math.max((x1 - x0) / 2, 18 * scale);
      c.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1, y1);
    } else c.lineTo(x1, y1);
  }

  drawMiddle(c, paint, index) {
    const [left, top, wide, high] = this.box(index);
    const word = this.graph.word(index);
    c.globalAlpha = this.dimmed(index) ? 0.25 : word === "waiting" ? 0.45 : 1;
    c.fillStyle = paint.word[word] ?? paint.soft;
    c.fillRect(left, top, Math.max(wide, 2), Math.max(high, 2));
    c.globalAlpha = 1;
    if (index === this.selected) {
      c.strokeStyle = paint.accent;
      c.lineWidth = 2;
      c.strokeRect(left - 1.5, top - 1.5, wide + 3, high + 3);
    }
  }

  dimmed(index) {
    return this.tinted !== null && !this.tinted.has(index);
  }

  drawNear(c, paint, index) {
    const [left, top, wide, high] = this.box(index);
    const word = this.graph.word(index);
    const colour = paint.word[word] ?? paint.soft;
    c.globalAlpha = this.dimmed(index) ? 0.35 : 1;
    c.beginPath();
    c.roundRect(left, top, wide, high, 6 * this.view.scale);
    c.fillStyle = index === this.selected ? paint["select-back"] : paint.card;
    c.fill();
    c.strokeStyle = index === this.selected ? paint.accent : word === "waiting" ? paint.line : colour;
    c.lineWidth = index === this.selected ? 2.5 : 1.4;
    c.stroke();
    c.fillStyle = colour;
    c.fillRect(left, top + 5 * this.view.scale, 4 * this.view.scale, high - 10 * this.view.scale);
    const size = Math.max(9, 12.5 * this.view.scale);
    c.textBaseline = "middle";
    c.font = `700 ${size}px ${paint.font}`;
    const sign = signOf(word);
    c.fillText(sign, left + 9 * this.view.scale, top + high / 2);
    const note = this.graph.note(index);
    c.font = `${size * 0.86}px ${paint.font}`;
    const noteWidth = note === "" ? 0 : c.measureText(note).width + 8 * this.view.scale;
    c.fillStyle = paint.soft;
    if (note !== "") c.fillText(note, left + wide - noteWidth, top + high / 2);
    c.fillStyle = paint.text;
    c.font = `${word === "error" ? 700 : 500} ${size}px ${paint.font}`;
    const indent = sign === "" ? 12 : 25;
    const begin = left + indent * this.view.scale;
    c.fillText(shortened(c, this.graph.task[index], wide - noteWidth - (indent + 5) * this.view.scale), begin, top + high / 2);
    c.globalAlpha = 1;
  }
}

const DRAWN = [...WORDS, "unresolved", "declared"];
const STEPS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

function closest(candidates, y, here) {
  return candidates.length === 0 ? null : candidates.reduce((a, b) => (Math.abs(y[b] - here) < Math.abs(y[a] - here) ? b : a));
}

/** The name, its middle left out where it does not fit. */
function shortened(c, name, room) {
  if (c.measureText(name).width <= room) return name;
  let keep = Math.max(Math.floor((room / c.measureText(name).width) * name.length) - 1, 2);
  while (keep > 2 && c.measureText(cut(name, keep)).width > room) keep -= 1;
  return cut(name, keep);
}
function cut(name, keep) {
  const head = Math.ceil(keep * 0.6);
  return `${name.slice(0, head)}…${name.slice(name.length - (keep - head))}`;
}
