// Draws a graph: far, middle or near. It is handed everything and keeps nothing between two draws.
import { signOf, WORDS } from "../words.js";
import { BLOCK_H, BLOCK_W } from "./layout.js";
import { colours } from "./palette.js";
import { shortened } from "./shorten.js";

const NEAR_PX = 103;
const FAR_PX = 9;
const ARCH = 31; // three quarters of it lift the middle into the gap between two rows
const EDGES_MAX = 2_500;
const DRAWN = [...WORDS, "unresolved", "declared"];

/** Whether so little room is left for a task that cells are counted instead. */
export function isFar(view, size) {
  return BLOCK_W * view.scale < FAR_PX * 5 && size > 40 && BLOCK_H * view.scale < FAR_PX;
}

export class GraphPainter {
  /** @type {any} */ graph = null;
  /** @type {any} */ layout = null;
  view = { x: 0, y: 0, scale: 1 };
  size = { w: 0, h: 0 };
  /** @type {number | null} */ selected = null;
  /** @type {Set<number> | null} */ related = null;
  /** @type {Set<number> | null} */ tinted = null;
  drawn = { level: "", blocks: 0, edges: 0 };

  /** state: { graph, layout, view, size, selected, related, tinted }. Returns what was drawn. */
  draw(c, state) {
    Object.assign(this, state);
    this.drawn = { level: "", blocks: 0, edges: 0 };
    this.drawLanes(c);
    if (isFar(this.view, this.graph.size)) this.drawFar(c);
    else this.drawBlocks(c);
    return this.drawn;
  }

  world(px, py) {
    return [(px - this.view.x) / this.view.scale, (py - this.view.y) / this.view.scale];
  }

  box(index) {
    const { x, y, scale } = this.view;
    return [this.layout.x[index] * scale + x, this.layout.y[index] * scale + y, BLOCK_W * scale, BLOCK_H * scale];
  }

  drawLanes(c) {
    const paint = colours();
    const { y, scale } = this.view;
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
      // A line that would run behind the blocks between them takes the gap above.
      const passes = Math.abs(y1 - y0) < BLOCK_H * scale && x1 - x0 > BLOCK_W * scale;
      const rise = passes ? ARCH * scale : 0;
      c.bezierCurveTo(x0 + bend, y0 - rise, x1 - bend, y1 - rise, x1, y1);
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
