// One task of one run: why, its attempts, its error, its params and output, its neighbours.
import { html } from "../html.js";
import { exact, parse, span } from "../clock.js";
import { zone } from "../state.js";
import { JsonCard } from "../parts/json.js";
import { Command, hasActions, Loading, ProblemBox, RunActions, State, useFetch, useRefresh, useTitle, Why } from "../parts/ui.js";
import { useWholeId } from "./run.js";
import { wordOf } from "../words.js";

export function TaskRunPage({ runId, task }) {
  useTitle(task);
  const { data, problem, reload } = useFetch(`/runs/${runId}/tasks/${encodeURIComponent(task)}`);
  useWholeId(runId, data?.run_id);
  const head = useFetch(`/runs/${runId}`);
  const over = data !== null && (data.state === "completed" || (data.state === "error" && data.reason !== "retry_wait"));
  useRefresh(() => { reload(); head.reload(); }, over ? 5_000 : 1_500);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Task" />`;
  const word = wordOf(data.state, data.reason);
  return html`
    <div class="row apart"><div class="title"><h1>${data.task}</h1><${State} word=${word} /><span class="soft">on <a class="inline" href=${`/servers/${data.server}`}>${data.server}</a>${data.owner && html`, owner <bdi>${data.owner}</bdi>`}${data.attempt > 0 && `, attempt ${data.attempt}`}</span></div>
      <span class="row"><a class="button" href=${`/runs/${runId}/graph?task=${encodeURIComponent(task)}`}>In the run</a><${Command} text=${`dyna why ${runId} ${task}`} /></span></div>
    <${Why} why=${data.why} state=${word} run=${runId} actions=${hasActions(data.why) && head.data && html`<${RunActions} run=${head.data} runId=${runId} from=${task} only=${head.data.cancelled ? null : "retry"} />`} />
    <${ProblemBox} problem=${problem} />
    ${data.error && html`<section class="card"><h2>${data.error.type}</h2><pre>${data.error.message}</pre>${data.error.traceback && data.why.traceback.length === 0 && html`<details><summary>Traceback</summary><pre>${data.error.traceback}</pre></details>`}<p class="soft">${data.error.retryable ? "Another attempt may succeed." : "No attempt will succeed: it is not retried by itself."}</p></section>`}
    <${Attempts} rows=${data.timeline} />
    <div class="halves"><${JsonCard} title="Params" value=${Object.keys(data.params).length > 0 ? data.params : null} empty="None." />
      <${JsonCard} title="Output" value=${data.output} empty=${data.state === "completed" ? "It answered nothing." : "It has no output until it completes."} /></div>
    <section class="card"><dl><dt>Needs</dt><dd><${Names} runId=${runId} names=${data.upstream} none="nothing" /></dd><dt>Needed by</dt><dd><${Names} runId=${runId} names=${data.downstream} none="nothing in this run" /></dd></dl></section>
    <div class="row"><a class="button" href=${`/runs/${runId}/logs?task=${encodeURIComponent(task)}`}>Logs</a><a class="button" href=${`/runs/${runId}/events?task=${encodeURIComponent(task)}`}>Events</a><a class="button" href=${`/tasks/${encodeURIComponent(task)}`}>Task and its history</a></div>`;
}

function Attempts({ rows }) {
  if (rows.length === 0) return html`<section class="card"><h2>Attempts</h2><p class="soft">It was not sent to its server.</p></section>`;
  return html`<section class="card flush"><div class="scroll"><table aria-label="Attempts"><thead><tr><th scope="col" class="number">Attempt</th><th scope="col">State</th><th scope="col">At</th><th scope="col" class="number">After</th><th scope="col">By</th></tr></thead>
    <tbody>${rows.map((row, at) => {
      const before = at > 0 ? parse(rows[at - 1].at) : null;
      return html`<tr key=${at}><td class="number">${row.attempt}</td><td><${State} word=${wordOf(row.state, row.reason)} text=${row.reason ? `${row.state} (${row.reason})` : row.state} /></td><td class="mono">${exact(parse(row.at), zone.value)}</td><td class="number">${before === null ? "" : span((parse(row.at) - before) / 1000)}</td><td>${row.by}</td></tr>`;
    })}</tbody></table></div></section>`;
}

function Names({ runId, names, none }) {
  if (names.length === 0) return html`<span class="soft">${none}</span>`;
  return html`${names.slice(0, 60).map((name, at) => html`${at > 0 ? ", " : ""}<a class="inline" href=${`/runs/${runId}/tasks/${encodeURIComponent(name)}`}>${name}</a>`)}${names.length > 60 && ` and ${names.length - 60} more`}`;
}
