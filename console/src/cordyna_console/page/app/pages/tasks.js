// Every declared task.
import { html, useEffect, useState } from "../html.js";
import { location, me, setQuery } from "../state.js";
import { cssOf, urgencyOf, wordOf } from "../words.js";
import { Command, Empty, Loading, Moment, ProblemBox, several, State, useFetch, useRefresh, useSettled, useTitle } from "../parts/ui.js";
import { VirtualTable } from "../parts/table.js";
import { navigate } from "../state.js";
import { invokePath } from "../model/command.js";

export function TasksPage() {
  useTitle("Tasks");
  const query = location.value.query;
  const wanted = Object.fromEntries(["q", "server", "owner", "cron", "unresolved"].map((name) => [name, query.get(name) ?? ""]));
  const { data, problem, reload } = useFetch("/tasks");
  // Apart: it reads runs, and the table need not wait for it.
  const recent = useFetch("/recent-tasks");
  useRefresh(() => { reload(); recent.reload(); }, me.value?.engine === "embedded" ? 10_000 : 60_000);
  const [text, setText] = useState(wanted.q);
  const settled = useSettled(text);
  useEffect(() => setQuery({ q: settled }, { replace: true }), [settled]);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Tasks" />`;
  const low = wanted.q.toLowerCase();
  const rows = data.rows.filter((row) => (!wanted.server || row.server === wanted.server) && (!wanted.owner || row.owner === wanted.owner)
    && (!wanted.cron || row.cron !== null) && (!wanted.unresolved || row.unresolved.length > 0)
    && (low === "" || row.task.toLowerCase().includes(low) || (row.description ?? "").toLowerCase().includes(low)))
    .map((row) => ({ ...row, key: row.task }));
  const of = (name) => [...new Set(data.rows.map((row) => row[name]).filter(Boolean))].sort();
  const missing = data.rows.filter((row) => row.unresolved.length > 0);
  const columns = [
    { name: "task", label: "Task", render: (row) => html`<a href=${`/tasks/${encodeURIComponent(row.task)}`}>${row.task}</a>` },
    { name: "server", label: "Server", class: "wide", render: (row) => row.server },
    { name: "owner", label: "Owner", class: "wide", render: (row) => row.owner ?? "–" },
    { name: "needs", label: "Needs", class: "number", render: (row) => row.upstream.length },
    { name: "needed", label: "Needed by", class: "number", render: (row) => row.downstream.length },
    { name: "cron", label: "Cron", class: "wide", render: (row) => (row.cron ? html`<code>${row.cron}</code>${row.paused ? " paused" : ""}` : "") },
    { name: "next", label: "Next tick", class: "wide", render: (row) => (row.next_at ? html`<${Moment} at=${row.next_at} />` : "") },
    { name: "last", label: "Last", render: (row) => html`<${Last} recent=${recent.data?.tasks[row.task]?.[0]} task=${row.task} />` },
    { name: "recent", label: "Newest runs", class: "wide", render: (row) => html`<${Recent} rows=${recent.data?.tasks[row.task] ?? []} />` },
    { name: "act", label: html`<span class="visually-hidden">Invoke</span>`, render: (row) => (row.unresolved.length > 0 ? html`<span class="w-error">unresolved</span>` : html`<a href=${invokePath(row.task)} aria-label=${`Invoke ${row.task}`}>Invoke</a>`) },
  ];
  return html`<div class="row apart"><h1>Tasks</h1><span class="row"><a class="button" href="/graph">Graph</a><a class="button" href="/rehearse">Rehearse a declaration</a><${Command} text="dyna tasks" /></span></div>
    <div class="filters" role="search"><label>Search<input type="search" value=${text} onInput=${(event) => setText(event.target.value)} /></label>
      <${Choice} name="server" label="Server" value=${wanted.server} values=${of("server")} /><${Choice} name="owner" label="Owner" value=${wanted.owner} values=${of("owner")} />
      <label>Only with<select value=${wanted.cron ? "cron" : wanted.unresolved ? "unresolved" : ""} onChange=${(event) => setQuery({ cron: event.target.value === "cron" ? "1" : "", unresolved: event.target.value === "unresolved" ? "1" : "" })}><option value="">anything</option><option value="cron">a cron</option><option value="unresolved">an unresolved upstream</option></select></label>
      <span class="soft">${several(rows.length, "task")}</span></div>
    ${missing.length > 0 && html`<section class="card"><h2>Declared by no server</h2>${[...new Set(missing.flatMap((row) => row.unresolved))].slice(0, 20).map((name) => html`<p key=${name}><strong>${name}</strong>, needed by ${missing.filter((row) => row.unresolved.includes(name)).map((row) => row.task).join(", ")}: invoking through it is refused.</p>`)}</section>`}
    ${data.rows.length === 0 ? html`<section class="card"><${Empty} title="No server has declared anything."><${Command} text="dyna --server my.py dev" /><//></section>`
      : html`<section class="card flush">${rows.length === 0 ? html`<${Empty} title="No task is like that." />` : html`<${VirtualTable} label="Tasks" columns=${columns} rows=${rows} rowProps=${(row) => ({ class: "clickable", onClick: (event) => { if (!event.target.closest("a,button")) navigate(`/tasks/${encodeURIComponent(row.task)}`); } })} />`}</section>`}`;
}

/** What became of a task in the newest run that had it. */
function Last({ recent, task }) {
  if (recent === undefined) return html`<span class="soft">–</span>`;
  const word = wordOf(recent.state, recent.reason);
  return html`<a href=${`/runs/${recent.run_id}/tasks/${encodeURIComponent(task)}`}><${State} word=${word} text="" /><span class="visually-hidden">${word} </span><${Moment} at=${recent.at} relative /></a>`;
}

/** A square for each of the newest runs, the newest at the right. */
function Recent({ rows }) {
  if (rows.length === 0) return null;
  const words = rows.map((row) => wordOf(row.state, row.reason));
  return html`<span class="spark" role="img" aria-label=${`newest first: ${words.join(", ")}`} title=${words.join(", ")}>${[...words].reverse().map((word, at) => html`<i key=${at}><span class="b-${cssOf(word)} s-${urgencyOf(word) <= 1 ? "bad" : "well"}"></span></i>`)}</span>`;
}

function Choice({ name, label, value, values }) {
  return html`<label>${label}<select value=${value} onChange=${(event) => setQuery({ [name]: event.target.value })}><option value="">any</option>${values.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>`;
}
