// The graph of a run, beside what needs attention, or the selected task.
import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { GraphPicture } from "../draw/graph.js";
import { layoutOf } from "../draw/layouts.js";
import { span } from "../clock.js";
import { attention, closure, ranMs } from "../model/run.js";
import { blockNote, blockWord, focused, folded, foldsOf, siblings } from "../model/parts.js";
import { navigate, now, scheme, second, setQuery } from "../state.js";
import { Loading, several, State } from "../parts/ui.js";
import { TaskPanel } from "./task-panel.js";

export function RunTab({ runId, head, model, version, task, word }) {
  const [focus, setFocus] = useState(null);
  if (model === null) return html`<${Loading} what=${`Graph of ${several(head.size, "task")}`} />`;
  const selected = task === null ? null : model.index.get(task) ?? null;
  const isRunning = model.state === "running" || model.state === "failing";
  if (isRunning && model.size <= 400) second.value;
  const elapsed = model.createdAt === null ? 0 : now() - model.createdAt;
  const note = (index) => {
    const fact = model.fact[index];
    const ran = ranMs(fact, elapsed);
    const attempt = fact !== null && fact.attempt > 1 ? ` ${fact.attempt}×` : "";
    return ran === null ? attempt.trim() : `${span(ran / 1000)}${attempt}`;
  };
  const tinted = useMemo(() => (word === null ? null : new Set(model.word.flatMap((one, index) => (one === word ? [index] : [])))), [word, version]);
  const select = (index) => setQuery({ task: index === null ? null : model.task[index] }, { replace: true });
  return html`<div class="two">
    <${GraphFrame} graph=${model} note=${note} version=${version} selected=${selected} tinted=${tinted} focus=${focus} onFocus=${setFocus}
      onSelect=${select} onOpen=${(index) => navigate(`/runs/${runId}/tasks/${encodeURIComponent(model.task[index])}`)} />
    <aside class="card side">${selected === null ? html`<${Attention} model=${model} onSelect=${select} />` : html`<${TaskPanel} runId=${runId} model=${model} index=${selected} version=${version} onSelect=${select} />`}</aside>
  </div>`;
}

/** The canvas with its tools. `focus`: { index, up, down } draws only that part. */
export function GraphFrame({ graph, note, version, selected, tinted = null, focus = null, onFocus, onSelect, onOpen, summary = null }) {
  const canvas = useRef(null);
  const picture = useRef(null);
  const back = useRef(null);
  const [level, setLevel] = useState("");
  const [height, setHeight] = useState(420);
  const callbacks = useRef(/** @type {any} */ ({}));
  const [opened, setOpened] = useState(new Set());
  const folds = focus === null ? foldsOf(graph, { selected, opened }) : [];
  // Laid out again only when other tasks are folded, not whenever one of them changed.
  const foldKey = folds.map((members) => members.reduce((sum, index) => (sum * 31 + index) | 0, members.length)).join();
  const part = useMemo(() => (focus === null ? folded(graph, folds) : focused(graph, focus)), [graph, focus, foldKey]);
  const shown = part ?? graph;
  const inner = (index) => (part === null || index === null ? index : part.inner.get(index) ?? null);
  const choose = (members) => {
    // A folded block is unfolded; the first of its tasks is where the keys continue.
    if (members.length > 1) setOpened(new Set([...opened, ...siblings(graph).filter((group) => group.includes(members[0])).map(([first]) => first)]));
    onSelect(members[0]);
  };
  callbacks.current = { onSelect: (members) => (members === null ? onSelect(null) : choose(members)), onOpen: (members) => (members.length > 1 ? choose(members) : onOpen(members[0])) };
  back.current = {
    word: (members) => (members.length === 1 ? graph.word[members[0]] : blockWord(graph, members)),
    note: (members) => (members.length === 1 ? note(members[0]) : blockNote(graph, members)),
  };
  useEffect(() => {
    const made = new GraphPicture(canvas.current, {
      onSelect: (index) => callbacks.current.onSelect(index === null ? null : made.graph.outer(index)),
      onOpen: (index) => callbacks.current.onOpen(made.graph.outer(index)),
    });
    picture.current = made;
    return () => made.close();
  }, []);
  useEffect(() => {
    let over = false;
    layoutOf(shown).then((found) => {
      if (over || picture.current === null) return;
      setHeight(frameHeight(found));
      // The picture keeps the numbers of the part that it shows, while a newer part is laid out.
      const outer = (index) => (part === null ? [index] : part.members[index]);
      picture.current.show({
        ...shown, outer, word: (index) => back.current.word(outer(index)), note: (index) => back.current.note(outer(index)),
      }, found);
      picture.current.select(inner(selected), { centre: shown.size > 60 && selected !== null });
      setLevel(shown.size > 400 ? "far" : "near");
      performance.mark("graph-shown");
    });
    return () => { over = true; };
  }, [shown]);
  useEffect(() => picture.current?.select(inner(selected)), [selected, shown]);
  useEffect(() => picture.current?.tint(tinted === null ? null : new Set([...tinted].map(inner))), [tinted, shown]);
  useEffect(() => picture.current?.redraw(), [version, second.value, scheme.value]);
  const text = summary ?? `Graph of ${several(graph.size, "task")} on ${several(graph.servers.length, "server")}. Arrow keys walk from task to task, Enter opens one. The tab Tasks has the same as a table.`;
  const name = selected === null ? "" : `${graph.task[selected]}, ${graph.word[selected]}, needs ${graph.upstream[selected].length}, needed by ${closure(graph.downstream, selected).size}`;
  return html`<div class="canvas-frame" style=${{ height: `${height}px` }}>
    <canvas ref=${canvas} tabindex="0" role="img" aria-label=${text} data-shown=${level}></canvas>
    <div class="visually-hidden" aria-live="polite">${name}</div>
    <div class="tools">
      <button onClick=${() => picture.current?.fit()}>Fit</button>
      <button onClick=${() => picture.current?.near(inner(selected))}>Near</button>
      <button aria-label="Nearer" onClick=${() => picture.current?.zoom(1.4)}>+</button>
      <button aria-label="Farther" onClick=${() => picture.current?.zoom(1 / 1.4)}>−</button>
      ${opened.size > 0 && html`<button title="Draw siblings that are alike as one block again" onClick=${() => setOpened(new Set())}>Fold</button>`}
      <button data-key="f" aria-pressed=${focus !== null} disabled=${focus === null && selected === null} title="Only the selected task with what is one or two steps from it (f)"
        onClick=${() => onFocus(focus === null ? { index: selected, steps: 2 } : null)}>${focus === null ? "Focus" : "Whole graph"}</button>
    </div>
    ${folds.length > 0 && part !== null && html`<div class="tip wide">${several(folds.reduce((sum, members) => sum + members.length, 0), "task")} folded · click a block to see each</div>`}
    ${shown.size > 400 && html`<div class="tip wide">far: cells are counted · click a cell to go near</div>`}
  </div>`;
}

/** As high as the picture at its full width, within what a screen holds. */
function frameHeight(found) {
  const wide = document.querySelector(".canvas-frame")?.clientWidth ?? 900;
  const scale = Math.min((wide - 56) / found.width, 1.1);
  return Math.round(Math.min(Math.max(found.height * scale + 130, 280), Math.max(window.innerHeight * 0.62, 320)));
}

const AT_WORK = new Set(["dispatched", "queued", "started"]);

/** What a person looks for first: what failed and what it blocks, else what runs. */
function Attention({ model, onSelect }) {
  const { shown, total } = attention(model, 40);
  if (total === 0) {
    const done = (model.counts.completed ?? 0) + (model.counts.reused ?? 0);
    return html`<h2>Needs attention</h2><p class="soft">Nothing: ${done === model.size ? "every task completed." : "nothing failed, and nothing runs at this moment."}</p><p class="soft">Click a task to see why it is as it is.</p>`;
  }
  const atWork = shown.every((index) => AT_WORK.has(model.word[index]));
  return html`<h2>${atWork ? "At work now" : "Needs attention"}</h2><ul class="list">${shown.map((index) => html`<li key=${index}><button onClick=${() => onSelect(index)}><${State} word=${model.word[index]} text="" /> <span class="grow">${model.task[index]}</span><span class="soft">${model.word[index]}</span></button></li>`)}</ul>
    ${total > shown.length && html`<p class="soft">${shown.length} of ${total.toLocaleString("en")}: all of them in the tab Tasks.</p>`}`;
}
