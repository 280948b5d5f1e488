// What needs an owner: one incident for each cause, and what waits for it.
import { html, useState } from "../html.js";
import { post } from "../api.js";
import { Action, Command, Empty, Loading, Moment, ProblemBox, useFetch, useRefresh, useTitle } from "../parts/ui.js";

const SPANS = [["1 h", 3600], ["4 h", 14_400], ["1 d", 86_400]];

export function IncidentsPage() {
  useTitle("Incidents");
  const [closed, setClosed] = useState(false);
  const { data, problem, reload } = useFetch("/incidents", { closed: closed || null });
  useRefresh(reload, 5_000);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Incidents" />`;
  return html`<div class="row apart"><h1>Incidents</h1><${Command} text="dyna incidents" /></div>
    <p class="row"><label class="row"><input type="checkbox" checked=${closed} onChange=${() => setClosed(!closed)} /> Also what is over</label></p>
    ${data.rows.length === 0 ? html`<section class="card"><${Empty} title="Nothing needs an owner."><p>A task that fails, is late or does not begin, and a server that does not answer, is an incident of its owner.</p><//></section>`
      : html`<section class="card flush"><div class="scroll"><table aria-label="Incidents"><thead><tr><th scope="col">What</th><th scope="col" class="wide">Owner</th><th scope="col">Opened</th><th scope="col" class="wide">Waits for it</th><th scope="col" class="wide">Snooze</th></tr></thead>
      <tbody>${data.rows.map((row) => html`<tr key=${row.incident}><td class="text"><${Sign} row=${row} /> <a href=${`/incidents/${row.incident}`}>${row.summary}</a><div class="soft narrow"><bdi>${row.owner ?? row.server}</bdi>${row.blocked.length > 0 && `; waiting: ${waiting(row.blocked)}`}</div>
          ${row.snoozed_until ? html`<div class="soft">snoozed until <${Moment} at=${row.snoozed_until} /></div>` : null}</td>
        <td class="wide short">${row.owner ?? row.server ?? "–"}</td><td class="short"><${Moment} at=${row.opened_at} relative /></td><td class="wide">${waiting(row.blocked)}</td>
        <td class="wide short"><${Snooze} row=${row} reload=${reload} /></td></tr>`)}</tbody></table></div></section>`}`;
}

export function IncidentPage({ incident }) {
  useTitle("Incident");
  const { data, problem, reload } = useFetch(`/incidents/${incident}`);
  useRefresh(reload, 5_000);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Incident" />`;
  return html`<div class="row apart"><h1><${Sign} row=${data} /> ${data.summary}</h1><${Command} text=${`dyna why ${data.incident}`} /></div>
    <section class="card stack"><dl>
      <dt>Owner</dt><dd>${data.owner ?? "none is declared"}</dd>
      <dt>${data.task ? "Task" : "Server"}</dt><dd>${data.task ? html`<a href=${`/tasks/${encodeURIComponent(data.task)}`}>${data.task}</a> on ` : null}<a href=${`/servers/${encodeURIComponent(data.server ?? "")}`}>${data.server}</a></dd>
      ${data.run_id ? html`<dt>Newest run</dt><dd><a href=${`/runs/${data.run_id}`}>${data.run_id}</a>${data.task ? html`<div><a href=${`/runs/${data.run_id}/tasks/${encodeURIComponent(data.task)}`}>Attempts and logs of ${data.task}</a></div>` : null}</dd>` : null}
      <dt>Opened</dt><dd><${Moment} at=${data.opened_at} /> (<${Moment} at=${data.opened_at} relative />)</dd>
      ${data.closed_at ? html`<dt>Over since</dt><dd><${Moment} at=${data.closed_at} /></dd>` : null}
      ${data.snoozed_until ? html`<dt>Snoozed</dt><dd>until <${Moment} at=${data.snoozed_until} /></dd>` : null}
      <dt>Next</dt><dd><${Command} text=${data.next} /></dd>
          ${data.state === "open" && !data.snoozed_until ? html`<dt>Snooze</dt><dd><${Snooze} row=${data} reload=${reload} /></dd>` : null}
    </dl></section>
    ${data.error ? html`<section class="card"><h2>Error</h2><pre>${data.error.traceback ?? data.error.message}</pre></section>` : null}
    ${data.blocked.length === 0 ? null : html`<h2>Waits for it, and has nothing to do</h2><section class="card flush"><div class="scroll"><table aria-label="What waits"><thead><tr><th scope="col">Task</th><th scope="col">Owner</th><th scope="col">Due</th></tr></thead>
      <tbody>${data.blocked.map((task) => html`<tr key=${task.task}><td><a href=${`/tasks/${encodeURIComponent(task.task)}`}>${task.task}</a></td><td>${task.owner ?? task.server}</td><td>${task.due ? html`<${Moment} at=${task.due} />` : "–"}</td></tr>`)}</tbody></table></div></section>`}`;
}

function waiting(tasks) {
  if (tasks.length === 0) return "–";
  const names = tasks.slice(0, 3).map((task) => task.task).join(", ");
  return tasks.length > 3 ? `${names} and ${tasks.length - 3} more` : names;
}

function Sign({ row }) {
  const open = row.state === "open";
  return html`<span class=${open ? "w-error" : "w-completed"} aria-hidden="true">${open ? "✗" : "✓"}</span><span class="visually-hidden">${open ? "open" : "over"}</span>`;
}

function Snooze({ row, reload }) {
  if (row.state !== "open" || row.snoozed_until) return null;
  return html`<span class="group" role="group" aria-label="Snooze">${SPANS.map(([label, seconds]) => html`<${Action} key=${label} label=${label} name=${`Snooze ${label}`} title=${`Publish nothing about it for ${label}`} right="operate" done=${`snoozed for ${label}`}
    act=${async () => { await post(`/incidents/${row.incident}/snooze`, { for_s: seconds, command_id: crypto.randomUUID() }); reload(); }} />`)}</span>`;
}
