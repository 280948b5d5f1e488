// Every task of the run as a table: the same facts as the picture.
import { html, useMemo, useState } from "../html.js";
import { span } from "../clock.js";
import { causesOf, ranMs } from "../model/run.js";
import { navigate, now, second } from "../state.js";
import { Empty, Loading, several, State } from "../parts/ui.js";
import { VirtualTable } from "../parts/table.js";
import { urgencyOf } from "../words.js";

const SORTS = {
  state: (model) => (a, b) => urgencyOf(model.word[a]) - urgencyOf(model.word[b]) || a - b,
  task: (model) => (a, b) => (model.task[a] < model.task[b] ? -1 : 1),
  server: (model) => (a, b) => model.server[a] - model.server[b] || a - b,
  attempt: (model) => (a, b) => (model.fact[a]?.attempt ?? 0) - (model.fact[b]?.attempt ?? 0),
  ran: (model, elapsed) => (a, b) => (ranMs(model.fact[a], elapsed) ?? -1) - (ranMs(model.fact[b], elapsed) ?? -1),
  order: () => (a, b) => a - b,
};

export function RunTab({ runId, model, version, word }) {
  const [text, setText] = useState("");
  const [sort, setSort] = useState({ by: "state", down: false });
  const rows = useMemo(() => {
    if (model === null) return [];
    const low = text.toLowerCase();
    const elapsed = model.createdAt === null ? 0 : now() - model.createdAt;
    const wanted = [];
    for (let index = 0; index < model.size; index++) {
      if ((word === null || model.word[index] === word) && (low === "" || model.task[index].toLowerCase().includes(low))) wanted.push(index);
    }
    wanted.sort(SORTS[sort.by](model, elapsed));
    return (sort.down ? wanted.reverse() : wanted).map((index) => ({ key: index, index }));
  }, [model, version, text, sort, word]);
  if (model === null) return html`<${Loading} what="Tasks" />`;
  second.value;
  const elapsed = model.createdAt === null ? 0 : now() - model.createdAt;
  const href = (index) => `/runs/${runId}/tasks/${encodeURIComponent(model.task[index])}`;
  const note = (index) => {
    if (model.word[index] === "blocked") return `needs ${causesOf(model, index, 3).map((at) => model.task[at]).join(", ")}`;
    if (model.word[index] === "waiting") {
      const missing = model.upstream[index].filter((up) => !["completed", "reused"].includes(model.word[up]));
      return missing.length > 0 ? `for ${missing.slice(0, 3).map((at) => model.task[at]).join(", ")}${missing.length > 3 ? ` and ${missing.length - 3} more` : ""}` : "";
    }
    return model.fact[index]?.state === "error" && model.word[index] === "error" ? model.fact[index].reason ?? "" : "";
  };
  const columns = [
    { name: "state", label: "State", render: ({ index }) => html`<${State} word=${model.word[index]} />` },
    { name: "task", label: "Task", render: ({ index }) => html`<a href=${href(index)}>${model.task[index]}</a>` },
    { name: "server", label: "Server", class: "wide", render: ({ index }) => model.servers[model.server[index]] },
    { name: "attempt", label: "Attempt", class: "number", render: ({ index }) => model.fact[index]?.attempt ?? "" },
    { name: "ran", label: "Ran", class: "number", render: ({ index }) => { const ran = ranMs(model.fact[index], elapsed); return ran === null ? "" : span(ran / 1000); } },
    { name: "note", label: "Because", class: "wide", sortable: false, render: ({ index }) => html`<span class="soft">${note(index)}</span>` },
  ];
  return html`<div class="filters" role="search"><label>Search tasks<input type="search" value=${text} onInput=${(event) => setText(event.target.value)} /></label><span class="soft">${several(rows.length, "task")}${word ? `, ${word}` : ""}</span></div>
    <section class="card flush">${rows.length === 0 ? html`<${Empty} title="No task is like that." />` : html`<${VirtualTable} label="Tasks of this run" columns=${columns} rows=${rows} sort=${sort}
      onSort=${(by) => setSort(sort.by === by ? { by, down: !sort.down } : { by, down: false })}
      rowProps=${({ index }) => ({ class: "clickable", onClick: (event) => { if (!event.target.closest("a,button")) navigate(href(index)); } })} />`}</section>`;
}
