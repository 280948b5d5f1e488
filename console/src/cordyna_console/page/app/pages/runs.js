// The list of runs: the newest first, filtered by the address, live.
import { html, useEffect, useState } from "../html.js";
import { fromField, parse, span, toField, zoneName } from "../clock.js";
import { follow } from "../live.js";
import { quoted } from "../model/command.js";
import { location, navigate, now, openIncidents, second, setQuery, zone } from "../state.js";
import {
  Bar, Command, Empty, get, Loading, Moment, ProblemBox, rowLink, RunId, runWord, several, State, useFetch, useSettled, useTitle, Zone,
} from "../parts/ui.js";

const DAY_MS = 86_400e3;
const STATES = ["running", "failing", "completed", "error", "cancelled"];

export function RunsPage() {
  useTitle("Runs");
  const query = location.value.query;
  const wanted = Object.fromEntries(["task", "state", "since", "until", "label", "q"].map((name) => [name, query.get(name) ?? ""]));
  const key = JSON.stringify(wanted);
  const [list, setList] = useState(null);
  const [older, setOlder] = useState([]);
  const [next, setNext] = useState(null);
  const [problem, setProblem] = useState(null);
  const [connection, setConnection] = useState("");
  useEffect(() => {
    setOlder([]);
    setNext(null);
    setProblem(null);
    return follow("/runs/live", {
      query: wanted,
      pollMs: 5_000,
      poll: async (query) => { const data = await get("/runs", { query }); return { data, cursor: JSON.stringify(data) }; },
      onData: (data) => setList({ key, ...data }),
      onState: (state, why) => { setConnection(state); if (why !== undefined) setProblem(why); },
    });
  }, [key]);
  const shown = list !== null && list.key === key ? list : null;
  const cursor = older.length > 0 ? next : shown?.next;
  const more = async () => {
    try {
      const page = await get("/runs", { query: { ...wanted, before: cursor } });
      setOlder([...older, ...page.rows]);
      setNext(page.next);
    } catch (failed) {
      setProblem(failed);
    }
  };
  const rows = shown === null ? [] : [...shown.rows, ...older.filter((row) => !shown.rows.some((other) => other.run_id === row.run_id))];
  const failing = rows.filter((row) => row.state === "failing");
  return html`
    <div class="row apart"><h1>Runs</h1><span class="row"><${Live} state=${connection} /><${Command} text=${`dyna runs${["task", "state", "since", "until"].map((name) => (wanted[name] ? ` --${name} ${quoted(wanted[name])}` : "")).join("")}`} /></span></div>
    ${failing.slice(0, 3).map((run) => html`<${FailingCard} key=${run.run_id} run=${run} />`)}
    <${NeedsOwner} />
    <${Filters} wanted=${wanted} />
    <${ProblemBox} problem=${problem} />
    ${shown === null && problem === null && html`<${Loading} what="Runs" />`}
    ${shown !== null && rows.length === 0 && html`<section class="card"><${NoRuns} filtered=${Object.values(wanted).some(Boolean)} /></section>`}
    ${rows.length > 0 && html`<section class="card flush"><div class="scroll"><table aria-label="Runs">
      <thead><tr><th scope="col">State</th><th scope="col">Task</th><th scope="col" class="mid">Run</th><th scope="col" class="wide">Tasks</th><th scope="col" class="short">Began <${Zone} /></th><th scope="col" class="number">Took</th><th scope="col" class="wide">By</th></tr></thead>
      <tbody>${rows.map((run) => html`<${RunLine} key=${run.run_id} run=${run} />`)}</tbody></table></div></section>`}
    ${cursor && html`<div class="row"><button onClick=${more}>Further back</button>${shown?.looked_back_to && html`<span class="soft">looked back to <${Moment} at=${older.at(-1)?.created_at ?? shown.looked_back_to} /></span>`}</div>`}`;
}

function RunLine({ run }) {
  const href = `/runs/${run.run_id}`;
  second.value;
  const began = parse(run.created_at);
  const over = parse(run.ended_at);
  const by = run.scheduled_at ? "cron" : run.by ?? run.labels.via ?? "client";
  const others = Object.entries(run.labels).filter(([name]) => name !== "via");
  return html`<tr ...${rowLink(href)}>
    <td><${State} word=${runWord(run)} /></td>
    <td><a href=${href}>${run.task}</a>${run.root_cause && run.root_cause.task !== run.task ? html` <span class="soft wide">${run.cancelled ? "before that" : "because of"} ${run.root_cause.task}: ${run.root_cause.reason}</span>` : null}
      ${others.map(([name, value]) => html` <span key=${name} class="chip" title=${`${name}=${value}`}>${name}=${value}</span>`)}</td>
    <td class="mid"><${RunId} id=${run.run_id} /></td>
    <td class="wide"><${Bar} counts=${run.counts} /></td>
    <td class="short"><${Moment} at=${run.created_at} /></td>
    <td class="number short">${began === null ? "–" : span(((over ?? now()) - began) / 1000)}${over === null ? " →" : ""}</td>
    <td class="wide">${by}</td></tr>`;
}

const INCIDENTS_SHOWN = 3;

/** What ended badly and needs a person, before the long list of what ran. */
function NeedsOwner() {
  const rows = openIncidents.value;
  if (rows.length === 0) return null;
  return html`<section class="card needs" aria-label="Needs an owner"><h2>${several(rows.length, "incident")} ${rows.length === 1 ? "needs" : "need"} an owner</h2>
    <ul>${rows.slice(0, INCIDENTS_SHOWN).map((row) => html`<li key=${row.incident}><span class="sign w-error" aria-hidden="true">✗</span> <a href=${`/incidents/${row.incident}`}>${row.summary}</a> <span class="soft"><bdi>${row.owner ?? row.server ?? ""}</bdi>, <${Moment} at=${row.opened_at} relative /></span></li>`)}</ul>
    ${rows.length > INCIDENTS_SHOWN && html`<a class="inline" href="/incidents">All ${rows.length}</a>`}</section>`;
}

function FailingCard({ run }) {
  const { data } = useFetch(`/runs/${run.run_id}`);
  return html`<section class="card why w-b-failing"><p><strong>${data?.why.sentence ?? `${run.task} is failing.`}</strong></p>
    ${data && html`<ul>${data.why.beside.map((line) => html`<li key=${line}>${line}</li>`)}</ul>`}
    <div class="row"><a class="button" href=${`/runs/${run.run_id}`}>Open ${run.task}</a><${Command} text=${`dyna why ${run.run_id}`} /></div></section>`;
}

function Filters({ wanted }) {
  const [text, setText] = useState(wanted.q);
  const settled = useSettled(text);
  useEffect(() => { if (settled !== wanted.q) setQuery({ q: settled }, { replace: true }); }, [settled]);
  useEffect(() => setText(wanted.q), [wanted.q]);
  const { data } = useFetch("/tasks");
  const names = data?.rows.map((row) => row.task) ?? [];
  return html`<div class="filters" role="search">
    <label>Search<input type="search" placeholder="id, task, label" value=${text} onInput=${(event) => setText(event.target.value)} /></label>
    <label>State<select value=${wanted.state} onChange=${(event) => setQuery({ state: event.target.value })}><option value="">any</option>${STATES.map((state) => html`<option key=${state} value=${state}>${state}</option>`)}</select></label>
    <label>Task<select value=${wanted.task} onChange=${(event) => setQuery({ task: event.target.value })}><option value="">any</option>
      ${wanted.task && !names.includes(wanted.task) && html`<option value=${wanted.task}>${wanted.task}</option>`}
      ${names.slice(0, 300).map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
    <${Times} wanted=${wanted} />
    ${wanted.label && html`<button title=${wanted.label} onClick=${() => setQuery({ label: "" })}>label ${wanted.label.slice(0, 60)}${wanted.label.length > 60 ? "…" : ""} ×</button>`}
    ${Object.values(wanted).some(Boolean) && html`<button class="plain" onClick=${() => navigate("/runs")}>All runs</button>`}
  </div>`;
}

const SPANS = [["", "any time"], ["1h", "the last hour"], ["24h", "the last 24 hours"], ["7d", "the last 7 days"], ["30d", "the last 30 days"]];

/** When runs began: a span back from now, or between two moments in the chosen zone. */
function Times({ wanted }) {
  const isSpan = wanted.until === "" && SPANS.some(([span]) => span === wanted.since);
  const [between, setBetween] = useState(!isSpan);
  useEffect(() => { if (!isSpan) setBetween(true); }, [isSpan]);
  const choose = (value) => {
    setBetween(value === "between");
    if (value !== "between") setQuery({ since: value, until: "" });
    else if (isSpan) setQuery({ since: new Date(now() - DAY_MS).toISOString().slice(0, 19) + "Z" });
  };
  const bound = (name, label) => html`<label>${label}<input type="datetime-local" value=${toField(wanted[name], zone.value)} onChange=${(event) => setQuery({ [name]: fromField(event.target.value, zone.value) })} /></label>`;
  return html`<label>Began<select value=${between ? "between" : wanted.since} onChange=${(event) => choose(event.target.value)}>${SPANS.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}<option value="between">between …</option></select></label>
    ${between && bound("since", `From (${zoneName(zone.value)})`)}${between && bound("until", "Before")}`;
}

function NoRuns({ filtered }) {
  if (filtered) return html`<${Empty} title="No run is like that."><a class="inline" href="/runs">Show all runs</a><//>`;
  return html`<${Empty} title="There is no run yet."><p>Ask for a task, and everything that it needs runs first.</p>
    <div class="row"><a class="button" href="/tasks">Choose a task</a><${Command} text="dyna do TASK" /></div><//>`;
}

export function Live({ state }) {
  const texts = { live: "live", polling: "live (asked every few seconds)", lost: "not connected", paused: "paused", "": "connecting" };
  return html`<span class="soft" role="status"><span class="live-dot ${state === "live" || state === "polling" ? "" : "off"}" aria-hidden="true"></span> ${texts[state] ?? state}</span>`;
}
