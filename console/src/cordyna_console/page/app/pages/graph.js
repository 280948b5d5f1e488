// The graph of all declared tasks; one task with what is around it, and what it would take down.
import { html, useMemo, useState } from "../html.js";
import { closure } from "../model/run.js";
import { location, navigate, setQuery } from "../state.js";
import { Command, Empty, Loading, ProblemBox, several, useFetch, useRefresh, useTitle } from "../parts/ui.js";
import { GraphFrame } from "./run-graph.js";
import { invokePath } from "../model/command.js";

export function GraphPage() {
  useTitle("Graph");
  const { data, problem, reload } = useFetch("/graph");
  useRefresh(reload, 10_000);
  const [focus, setFocus] = useState(null);
  const graph = useMemo(() => {
    if (data === null) return null;
    const downstream = data.task.map(() => []);
    data.upstream.forEach((needs, index) => needs.forEach((up) => downstream[up].push(index)));
    const broken = new Set(Object.values(data.unresolved).flat());
    return { ...data, size: data.task.length, downstream, index: new Map(data.task.map((name, at) => [name, at])), word: data.task.map((name) => (broken.has(name) ? "unresolved" : "declared")) };
  }, [data === null ? null : JSON.stringify(data).length + data.generation]);
  if (graph === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Graph" />`;
  if (graph.size === 0) return html`<section class="card"><${Empty} title="No server has declared anything."><${Command} text="dyna --server my.py dev" /><//></section>`;
  const name = location.value.query.get("task");
  const selected = name === null ? null : graph.index.get(name) ?? null;
  const select = (index) => setQuery({ task: index === null ? null : graph.task[index] }, { replace: true });
  const missing = Object.entries(data.unresolved);
  return html`<div class="row apart"><h1>Graph</h1><span class="row"><span class="soft">${several(graph.size, "task")} on ${several(graph.servers.length, "server")}</span><${Command} text="dyna graph" /></span></div>
    <div class="two"><${GraphFrame} graph=${graph} note=${(index) => (graph.cron[index] ? "cron" : "")} version=${0} selected=${selected} focus=${focus} onFocus=${setFocus} onSelect=${select} onOpen=${(index) => navigate(`/tasks/${encodeURIComponent(graph.task[index])}`)}
      summary=${`Graph of ${several(graph.size, "declared task")}. The page Tasks has the same as a table.`} />
    <aside class="card side">${selected === null ? html`<h2>What would break?</h2><p class="soft">Choose a task: its upstream and all that it blocks are drawn in.</p>
      ${missing.map(([one, users]) => html`<p key=${one}><span class="w-error">✗ ${one}</span> is declared by no server; needed by ${users.slice(0, 6).join(", ")}.</p>`)}` : html`<${Impact} graph=${graph} index=${selected} onSelect=${select} />`}</aside></div>`;
}

function Impact({ graph, index, onSelect }) {
  const down = closure(graph.downstream, index);
  const up = closure(graph.upstream, index);
  const groups = new Map();
  for (const at of down) {
    const key = `${graph.servers[graph.server[at]]}${graph.owner[at] >= 0 ? `, ${graph.owners[graph.owner[at]]}` : ""}`;
    groups.set(key, [...(groups.get(key) ?? []), at]);
  }
  return html`<div class="stack"><div class="row apart"><h2>${graph.task[index]}</h2><button class="plain" aria-label="Close" onClick=${() => onSelect(null)}>×</button></div>
    <p class="soft">on ${graph.servers[graph.server[index]]}${graph.owner[index] >= 0 ? html`, owner <bdi>${graph.owners[graph.owner[index]]}</bdi>` : ""}${graph.cron[index] ? `, cron ${graph.cron[index]}` : ""}</p>
    <p>Invoking it runs <strong>${several(up.size + 1, "task")}</strong>. If it fails, <strong>${several(down.size, "task")}</strong> cannot run.</p>
    <div class="row"><a class="button" href=${invokePath(graph.task[index])}>Invoke</a><a class="button" href=${`/tasks/${encodeURIComponent(graph.task[index])}`}>Task and its history</a></div>
    ${[...groups].sort((a, b) => b[1].length - a[1].length).map(([key, members]) => html`<div key=${key}><h3>${key}: ${members.length}</h3><ul class="list">${members.slice(0, 10).map((at) => html`<li key=${at}><button onClick=${() => onSelect(at)}>${graph.task[at]}</button></li>`)}</ul>${members.length > 10 && html`<p class="soft">and ${members.length - 10} more</p>`}</div>`)}</div>`;
}
