// What the tasks printed: searched on the server over all lines, live, with a link to each line.
import { find, html, useEffect, useRef, useState } from "../html.js";
import { address, get, getText, session } from "../api.js";
import { exact, parse } from "../clock.js";
import { location, me, setQuery, toast, zone } from "../state.js";
import { Command, Empty, Loading, ProblemBox, useSettled } from "../parts/ui.js";

const PAGE = 500;
const KEPT = 1_000 / 4;
const LIVE_MS = 1_000;
const CLOUD_MS = 10_000; // the log there is late by seconds, and searching it is charged

export function RunTab({ runId, head, model, task, version }) {
  const query = location.value.query;
  const [text, setText] = useState(query.get("q") ?? "");
  const q = useSettled(text);
  const [page, setPage] = useState(null);
  const [problem, setProblem] = useState(null);
  const [from, setFrom] = useState(Math.max(0, Number(query.get("line") ?? 0) - 20));
  const line = Number(query.get("line") ?? 0);
  const running = (model?.state ?? head.state) === "running" || (model?.state ?? head.state) === "failing";
  const key = `${runId} ${task} ${q} ${from}`;
  const wanted = useRef(key);
  wanted.current = key;
  const load = async () => {
    try {
      const found = await get(`/runs/${runId}/logs`, { query: { task, q, after: from, limit: PAGE } });
      if (wanted.current === key) { setPage(found); setProblem(null); }
    } catch (failed) {
      setProblem(failed);
    }
  };
  useEffect(() => { setQuery({ q }, { replace: true }); load(); }, [key]);
  useEffect(() => {
    if (!running) return undefined;
    let timer = 0;
    const again = async () => {
      const begin = Date.now();
      if (!document.hidden) await load();
      // A long log takes long to search: asking takes at most a tenth of the time.
      timer = setTimeout(again, Math.max(me.value?.engine === "embedded" ? LIVE_MS : CLOUD_MS, 10 * (Date.now() - begin)));
    };
    timer = setTimeout(again, LIVE_MS);
    return () => { clearTimeout(timer); load(); };
  }, [key, running]);
  useEffect(() => {
    const takeFind = (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "f") {
        event.preventDefault();
        find("main input[type=search]")?.focus();
      }
    };
    document.addEventListener("keydown", takeFind);
    return () => document.removeEventListener("keydown", takeFind);
  }, []);
  void version;
  const names = model?.task ?? [];
  const rows = page?.rows.slice(0, KEPT) ?? [];
  const nextFrom = page === null ? null : page.rows.length > KEPT ? rows.at(-1).number : page.next;
  return html`<div class="filters" role="search">
      <label>Search all lines (Ctrl-F)<input type="search" value=${text} onInput=${(event) => { setText(event.target.value); setFrom(0); }} /></label>
      <label>Task<select value=${task ?? ""} onChange=${(event) => { setFrom(0); setQuery({ task: event.target.value, line: null }); }}><option value="">every task</option>${task && !names.slice(0, 400).includes(task) && html`<option value=${task}>${task}</option>`}${names.slice(0, 400).map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
      ${page !== null && html`<span class="soft" aria-live="polite">${q ? `${page.matched.toLocaleString("en")} of ` : ""}${page.total.toLocaleString("en")} lines</span>`}
      <a class="button" href=${address(`/runs/${runId}/logs/text`, { task })} download onClick=${(event) => { if (session.bearer !== null) { event.preventDefault(); save(runId, task); } }}>Download</a>
      <${Command} text=${`dyna logs ${runId}${task ? ` ${task}` : ""}`} />
    </div>
    <${ProblemBox} problem=${problem} retry=${load} />
    ${page === null && problem === null && html`<${Loading} what="Logs" />`}
    ${page !== null && rows.length === 0 && html`<section class="card"><${Empty} title=${q ? "No line holds that." : "Nothing was printed yet."}><p>${q ? "All lines were searched." : "The log of a task in the cloud is some seconds late."}</p><//></section>`}
    ${from > 0 && html`<div class="row"><button onClick=${() => setFrom(0)}>From the first line</button></div>`}
    ${rows.length > 0 && html`<div class="log" tabindex="0" role="region" aria-label="Log"><ol>${rows.map((row) => html`<li key=${row.number} class="from-${row.stream} ${row.number === line ? "current" : ""}">
      <a href=${`/runs/${runId}/logs?${task ? `task=${encodeURIComponent(task)}&` : ""}line=${row.number}`} aria-label=${`Line ${row.number}`}>${row.number}</a>
      <span class="soft wide" title=${row.at}>${exact(parse(row.at), zone.value).slice(11, 23)}</span>
      <span class="soft wide" title=${`${row.task}, attempt ${row.attempt}, ${row.stream}`}>${row.task}${row.attempt > 1 ? `/${row.attempt}` : ""}</span>
      <span class="text"><${Marked} text=${row.text} q=${q} /></span></li>`)}</ol></div>`}
    ${nextFrom !== null && html`<div class="row"><button onClick=${() => setFrom(nextFrom)}>Next lines</button></div>`}`;
}

/** Where a link cannot carry who asks, the page asks and hands the file over. */
async function save(runId, task) {
  try {
    const text = await getText(`/runs/${runId}/logs/text`, { task });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = `${runId}.log`;
    link.click();
    URL.revokeObjectURL(link.href);
  } catch (problem) {
    toast(`${problem.message} ${problem.next ?? ""}`, "error");
  }
}

function Marked({ text, q }) {
  if (!q) return text;
  const parts = [];
  const low = text.toLowerCase();
  const wanted = q.toLowerCase();
  let at = 0;
  for (let found = low.indexOf(wanted); found >= 0 && parts.length < 100; found = low.indexOf(wanted, at)) {
    parts.push(text.slice(at, found), html`<mark>${text.slice(found, found + q.length)}</mark>`);
    at = found + q.length;
  }
  parts.push(text.slice(at));
  return parts;
}
