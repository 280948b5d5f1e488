// What runs by itself: next and past ticks, in the cron's own zone and in mine.
import { html } from "../html.js";
import { post } from "../api.js";
import { moment, parse, zoneName } from "../clock.js";
import { now, zone } from "../state.js";
import { CronWeek, OUTCOMES, Sign } from "./cron-week.js";
import { Action, Command, Empty, Loading, Moment, ProblemBox, useFetch, useRefresh, useTitle, Zone } from "../parts/ui.js";

export function CronsPage() {
  useTitle("Crons");
  const { data, problem, reload } = useFetch("/crons");
  useRefresh(reload, 5_000);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Crons" />`;
  return html`<div class="row apart"><h1>Crons</h1><${Command} text="dyna cron ls" /></div>
    <p class="legend">${Object.keys(OUTCOMES).map((outcome) => html`<span key=${outcome}><${Sign} outcome=${outcome} /> ${OUTCOMES[outcome].text}</span>`)}<span>A tick opens its run.</span></p>
    ${data.rows.length === 0 ? html`<section class="card"><${Empty} title="No task has a cron."><p>A task runs by itself when it is declared with one: <code>@server.task(cron="0 7 * * *")</code></p><//></section>`
      : html`<section class="card flush"><div class="scroll"><table aria-label="Crons"><thead><tr><th scope="col">Task</th><th scope="col">When</th><th scope="col">Next, its zone</th><th scope="col" class="wide">Next, mine <${Zone} /></th><th scope="col" class="wide">Last ticks</th><th scope="col"><span class="visually-hidden">Pause</span></th></tr></thead>
      <tbody>${data.rows.map((row) => html`<tr key=${row.task}><td><a href=${`/tasks/${encodeURIComponent(row.task)}`}>${row.task}</a><br /><span class="soft">${row.server}</span></td><td>${row.words !== row.cron && html`${row.words}<br />`}<code>${row.cron}</code></td>
        <td>${row.paused ? html`<strong>‖ paused</strong>` : row.next_at ? html`${moment(parse(row.next_at), row.timezone, now())} <span class="soft">${zoneName(row.timezone)}</span>` : "–"}</td><td class="wide">${row.paused ? "" : html`<${Moment} at=${row.next_at} /> <span class="soft">(<${Moment} at=${row.next_at} relative />)</span>`}</td>
        <td class="wide"><span class="week">${[...row.ticks].reverse().slice(-20).map((tick, at) => html`<${Tick} key=${`${tick.at}${at}`} tick=${tick} task=${row.task} />`)}${row.next_at && html`<${Tick} tick=${{ at: row.next_at, outcome: "to come" }} task=${row.task} />`}${row.ticks.length === 0 && !row.next_at && html`<span class="soft">none yet</span>`}</span></td>
        <td>${row.paused ? html`<${Action} label="Resume" right="operate" done=${`${row.task} fires again`} act=${async () => { await post(`/crons/${row.task}/resume`); reload(); }} />` : html`<${Action} label="Pause" right="operate" done=${`${row.task} is paused`} act=${async () => { await post(`/crons/${row.task}/pause`); reload(); }} />`}</td></tr>`)}</tbody></table></div></section><${CronWeek} />`}`;
}

function Tick({ tick, task }) {
  const text = tick.text || `${task} ${moment(parse(tick.at), zone.value, now())}: ${tick.outcome}`;
  const sign = html`<span class="w-${OUTCOMES[tick.outcome].css}" aria-hidden="true">${OUTCOMES[tick.outcome].sign}</span><span class="visually-hidden">${text}</span>`;
  return tick.run_id ? html`<a href=${`/runs/${tick.run_id}`} title=${text}>${sign}</a>` : html`<span title=${text}>${sign}</span>`;
}
