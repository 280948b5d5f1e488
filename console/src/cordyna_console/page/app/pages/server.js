// One task server: its state, its tasks, what it works on.
import { html } from "../html.js";
import { Command, Loading, Moment, ProblemBox, RunId, State, useFetch, useRefresh, useTitle } from "../parts/ui.js";
import { NotLoaded, Rejected, workers } from "./servers.js";

const SHOWN = 60;

export function ServerPage({ server }) {
  useTitle(server);
  const { data, problem, reload } = useFetch(`/servers/${encodeURIComponent(server)}`);
  useRefresh(reload, 3_000);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Server" />`;
  return html`<div class="row apart"><div class="title"><h1>${data.server}</h1><${State} word=${data.state} /><span class="soft">last sign of life <${Moment} at=${data.last_seen_at} relative />${data.owners.length > 0 && html`, owner <bdi>${data.owners.join(", ")}</bdi>`}, revision ${data.revision}</span></div><${Command} text="dyna servers" /></div>
    ${data.state === "unresponsive" && html`<section class="card problem" role="alert"><h2>It let a command go unanswered.</h2><p>Check that its process is up and receives events. The next event from it ends this state.</p></section>`}
    ${data.problem && html`<${NotLoaded} row=${data} />`}
    ${data.last_rejection && html`<${Rejected} row=${data} />`}
    <section class="card"><h2>At work now</h2>${data.live.length === 0 ? html`<p class="soft">Nothing.</p>` : html`<ul class="list">${data.live.map((one) => html`<li key=${`${one.run_id}${one.task}`}><${State} word=${one.word} text="" /><a class="inline" href=${`/runs/${one.run_id}/tasks/${encodeURIComponent(one.task)}`}>${one.task}</a> <span class="soft">${one.word},</span> <span class="soft">run <${RunId} id=${one.run_id} />, attempt ${one.attempt}, <${Moment} at=${one.since} relative /></span></li>`)}</ul>`}</section>
    <section class="card"><dl><dt>Tasks</dt><dd>${data.task_names.length === 0 ? html`<span class="soft">none</span>` : data.task_names.slice(0, SHOWN).map((name, at) => html`${at > 0 ? ", " : ""}<a class="inline" href=${`/tasks/${encodeURIComponent(name)}`}>${name}</a>`)}${data.task_names.length > SHOWN && html` and <a class="inline" href=${`/tasks?server=${encodeURIComponent(server)}`}>${data.task_names.length - SHOWN} more</a>`}</dd>
      ${data.last_acceptance && html`<dt>Accepted</dt><dd>as generation ${data.last_acceptance.generation.toLocaleString("en")} of the graph, <${Moment} at=${data.last_acceptance.at} /></dd>`}
      <dt>Uses</dt><dd><${Servers} names=${data.uses} none="no other server" /></dd><dt>Used by</dt><dd><${Servers} names=${data.used_by} none="no other server" /></dd><dt>Crons</dt><dd>${data.crons}</dd>${data.workers && html`<dt>Workers</dt><dd>${workers(data)}${data.workers.mode && html` <span class="soft">(${data.workers.mode}${data.workers.mode_reason && `: ${data.workers.mode_reason}`})</span>`}</dd>`}</dl></section>`;
}

function Servers({ names, none }) {
  return names.length === 0 ? html`<span class="soft">${none}</span>` : names.map((name, at) => html`${at > 0 ? ", " : ""}<a class="inline" href=${`/servers/${name}`}>${name}</a>`);
}
