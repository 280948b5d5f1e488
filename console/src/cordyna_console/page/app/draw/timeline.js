// The timeline on a canvas that stays in view while its rows scroll below: only what is seen is drawn.
import { span } from "../clock.js";
import { momentsOf } from "../model/run.js";
import { signOf } from "../words.js";
import { colours } from "./palette.js";
import { shortened } from "./shorten.js";

export const ROW_H = 24;
export const HEAD_H = 26;

/** Rows in the order in which they began; tasks that have not begun come last. */
export function timelineRows(run, wanted) {
  const begin = (index) => run.fact[index]?.before[0]?.sent ?? run.fact[index]?.sent ?? Infinity;
  const rows = [];
  for (let index = 0; index < run.size; index++) if (wanted(index)) rows.push(index);
  return rows.sort((a, b) => begin(a) - begin(b) || a - b);
}

/** Milliseconds since the run was created: until its end, or until now. */
export function elapsedOf(run, now) {
  let last = 0;
  for (const fact of run.fact) {
    if (fact !== null && fact.sent !== null) last = Math.max(last, fact.sent + Math.max(fact.ended ?? 0, fact.started ?? 0, fact.queued ?? 0));
  }
  const over = run.state === "completed" || run.state === "error";
  return Math.max(over || run.createdAt === null ? last : Math.max(last, now - run.createdAt), 1);
}

export class TimelinePicture {
  constructor(canvas, frame) {
    this.canvas = canvas;
    this.frame = frame;
    this.context = canvas.getContext("2d");
    this.request = 0;
    this.state = null;
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(frame);
    this.scroll = () => this.redraw();
    frame.addEventListener("scroll", this.scroll);
  }
  close() {
    this.observer.disconnect();
    this.frame.removeEventListener("scroll", this.scroll);
    cancelAnimationFrame(this.request);
  }
  /** state: { run, rows, elapsed, selected, critical } */
  show(state) {
    this.state = state;
    this.redraw();
  }
  redraw() {
    if (this.request === 0 && this.state !== null) {
      this.request = requestAnimationFrame(() => {
        this.request = 0;
        this.draw();
      });
    }
  }
  rowAt(clientY) {
    const box = this.frame.getBoundingClientRect();
    const row = Math.floor((clientY - box.top - HEAD_H + this.frame.scrollTop) / ROW_H);
    return clientY - box.top < HEAD_H ? null : this.state.rows[row] ?? null;
  }

  draw() {
    const { run, rows, elapsed, selected, critical } = this.state;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const w = this.frame.clientWidth;
    const h = this.frame.clientHeight;
    if (this.canvas.width !== Math.round(w * ratio) || this.canvas.height !== Math.round(h * ratio)) {
      this.canvas.width = Math.round(w * ratio);
      this.canvas.height = Math.round(h * ratio);
      this.canvas.style.width = `${w}px`;
      this.canvas.style.height = `${h}px`;
    }
    const c = this.context;
    const paint = colours();
    const names = Math.min(Math.max(w * 0.24, 110), 260);
    const right = w > 620 ? 84 : 8;
    const room = w - names - right;
    const x = (ms) => names + (ms / elapsed) * room;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, w, h);
    const first = Math.floor(this.frame.scrollTop / ROW_H);
    const last = Math.min(rows.length, first + Math.ceil(h / ROW_H) + 1);
    this.axis(c, paint, x, elapsed, room, h);
    c.save();
    c.beginPath();
    c.rect(0, HEAD_H, w, h - HEAD_H);
    c.clip();
    for (let at = first; at < last; at++) {
      const top = HEAD_H + at * ROW_H - this.frame.scrollTop;
      this.row(c, paint, { run, index: rows[at], top, names, right, w, x, elapsed, selected, critical });
    }
    c.restore();
    this.canvas.dataset.rows = String(last - first);
  }

  axis(c, paint, x, elapsed, room, h) {
    c.font = `11px ${paint.font}`;
    c.textBaseline = "middle";
    c.textAlign = "left";
    const step = niceStep((elapsed / room) * 110);
    for (let ms = 0; ms <= elapsed; ms += step) {
      c.fillStyle = paint.line;
      c.fillRect(Math.round(x(ms)), HEAD_H - 6, 1, h);
      c.fillStyle = paint.soft;
      c.fillText(ms === 0 ? "0" : `+${span(ms / 1000)}`, x(ms) + 4, HEAD_H / 2);
    }
  }

  row(c, paint, { run, index, top, names, right, w, x, elapsed, selected, critical }) {
    const word = run.word[index];
    const fact = run.fact[index];
    const middle = top + ROW_H / 2;
    if (index === selected) {
      c.fillStyle = paint["select-back"];
      c.fillRect(0, top, w, ROW_H);
    }
    c.textBaseline = "middle";
    c.font = `700 12px ${paint.font}`;
    c.fillStyle = paint.word[word];
    c.fillText(signOf(word), 10, middle);
    c.fillStyle = paint.text;
    c.font = `${index === selected ? 600 : 400} 12.5px ${paint.font}`;
    c.fillText(shortened(c, run.task[index], names - 42), 28, middle);
    if (fact === null) {
      c.fillStyle = paint.soft;
      c.font = `12px ${paint.font}`;
      c.fillText(word, x(0) + 6, middle);
      return;
    }
    for (const attempt of fact.before) {
      const moments = momentsOf({ ...attempt, deadline: null });
      if (moments !== null) this.bar(c, paint, x, top, moments, attempt.word, elapsed, attempt.attempt);
    }
    const moments = momentsOf(fact);
    if (moments === null) return;
    const firstSent = fact.before[0]?.sent ?? moments.sent;
    if (x(firstSent) - x(0) > 1) {
      c.fillStyle = paint.line;
      c.fillRect(x(0), middle - 1, x(firstSent) - x(0), 2);
    }
    this.bar(c, paint, x, top, moments, word, elapsed, fact.before.length > 0 ? fact.attempt : null);
    if (moments.deadline !== null && moments.deadline <= elapsed * 1.02) {
      c.fillStyle = paint.error;
      for (let at = top + 2; at < top + ROW_H - 2; at += 5) c.fillRect(x(moments.deadline), at, 1.5, 3);
    }
    if (critical.has(index)) {
      c.fillStyle = paint.text;
      c.font = `12px ${paint.font}`;
      c.fillText("◆", names - 14, middle);
    }
    if (right > 40) {
      const took = (moments.ended ?? elapsed) - (moments.started ?? moments.sent);
      c.fillStyle = paint.soft;
      c.font = `12px ${paint.font}`;
      c.fillText(`${span(took / 1000)}${moments.ended === null ? " →" : ""}`, w - right + 8, middle);
    }
  }

  bar(c, paint, x, top, { sent, queued, started, ended }, word, elapsed, attempt) {
    const end = ended ?? elapsed;
    const part = (from, to, colour, alpha, inset) => {
      if (from === null || to === null || to < from) return;
      c.globalAlpha = alpha;
      c.fillStyle = colour;
      c.fillRect(x(from), top + inset, Math.max(x(to) - x(from), 2), ROW_H - 2 * inset);
      c.globalAlpha = 1;
    };
    const colour = paint.word[word];
    part(sent, queued ?? started ?? end, paint.word.dispatched, 0.35, 9);
    part(queued, started ?? end, paint.word.queued, 0.6, 7);
    part(started, end, colour, 0.92, 4);
    if (started === null && ended !== null) part(ended, ended, colour, 0.92, 4);
    if (attempt !== null && started !== null && x(end) - x(started) > 14) {
      c.fillStyle = paint.card;
      c.font = `700 11px ${paint.font}`;
      c.fillText(String(attempt), x(started) + 4, top + ROW_H / 2);
    }
  }
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  const seconds = [60e3, 120e3, 300e3, 600e3, 1200e3, 3600e3, 7200e3, 6 * 3600e3, 86400e3];
  if (least > 50e3) return seconds.find((step) => step >= least) ?? Math.ceil(least / 86400e3) * 86400e3;
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least) ?? power * 10;
}
