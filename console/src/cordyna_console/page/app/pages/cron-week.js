// One week of crons: what became of each tick, and which are to come, in the zone that is chosen.
import { html } from "../html.js";
import { exact, moment, parse, zoneName } from "../clock.js";
import { location, now, setQuery, zone } from "../state.js";
import { Loading, ProblemBox, several, useFetch, useRefresh } from "../parts/ui.js";

export const OUTCOMES = {
  completed: { sign: "●", css: "completed", text: "completed" },
  error: { sign: "✗", css: "error", text: "ended in error" },
  running: { sign: "◔", css: "started", text: "runs" },
  missed: { sign: "!", css: "error", text: "missed: no process was up" },
  skipped: { sign: "»", css: "blocked", text: "skipped: the run before was not over" },
  paused: { sign: "‖", css: "cancelled", text: "paused" },
  "to come": { sign: "○", css: "waiting", text: "to come" },
};
/** What a person looks for first is shown first. */
const ORDER = ["error", "missed", "skipped", "running", "completed", "paused", "to come"];
const DAY_MS = 86_400e3;
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

export function CronWeek() {
  const day = location.value.query.get("day") ?? "";
  const { data, problem, reload } = useFetch("/crons/week", { zone: zone.value, day });
  useRefresh(reload, 15_000);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} />` : html`<${Loading} what="Week" />`;
  const shift = (days) => new Date(Date.parse(data.days[0].day) + days * DAY_MS).toISOString().slice(0, 10);
  const at = now();
  const isToday = (one) => parse(one.begin) <= at && at < parse(one.end);
  return html`<section class="stack"><div class="row apart"><h2>Week of ${data.days[0].day} <span class="soft">(${zoneName(zone.value)})</span></h2>
      <span class="row"><button onClick=${() => setQuery({ day: shift(-7) })}>← Week before</button>
        <button disabled=${data.days.some(isToday)} onClick=${() => setQuery({ day: null })}>This week</button>
        <button onClick=${() => setQuery({ day: shift(7) })}>Week after →</button></span></div>
    <${ProblemBox} problem=${problem} retry=${reload} />
    <section class="card flush"><div class="scroll" tabindex="0" role="region" aria-label="Week"><table class="calendar" aria-label="Ticks of the week">
      <thead><tr><th scope="col">Task</th>${data.days.map((one, index) => html`<th key=${one.day} scope="col" class=${isToday(one) ? "today" : ""} aria-current=${isToday(one) ? "date" : undefined}>
        ${WEEKDAYS[index]} ${Number(one.day.slice(8))}${hoursOf(one) === 24 ? null : html` <span class="chip" title="clocks change on this day">${hoursOf(one)} h</span>`}</th>`)}</tr></thead>
      <tbody>${data.rows.map((row) => html`<tr key=${row.task}><th scope="row"><a href=${`/tasks/${encodeURIComponent(row.task)}`}>${row.task}</a><div class="soft">${row.words}</div></th>
        ${row.cells.map((cell, index) => html`<td key=${index} class=${isToday(data.days[index]) ? "today" : ""}><${Cell} cell=${cell} row=${row} /></td>`)}</tr>`)}</tbody></table></div></section></section>`;
}

function hoursOf(day) {
  return Math.round((parse(day.end) - parse(day.begin)) / 36e5);
}

function Cell({ cell, row }) {
  if (cell.ticks.length > 0) return html`<div class="ticks">${cell.ticks.map((tick) => html`<${Tick} key=${tick.at} tick=${tick} row=${row} />`)}</div>`;
  const counted = ORDER.filter((outcome) => cell.counts[outcome] > 0);
  return html`<div class="ticks">${counted.map((outcome) => html`<span key=${outcome} title=${OUTCOMES[outcome].text}><${Sign} outcome=${outcome} /> ${cell.counts[outcome].toLocaleString("en")}<span class="visually-hidden"> ${several(cell.counts[outcome], "tick")} ${OUTCOMES[outcome].text}</span></span>`)}</div>`;
}

function Tick({ tick, row }) {
  const ms = parse(tick.at);
  const own = row.timezone === zone.value ? "" : `, ${moment(ms, row.timezone, ms).slice(0, 5)} in ${zoneName(row.timezone)}`;
  const title = `${exact(ms, zone.value)}${own}: ${tick.text || OUTCOMES[tick.outcome].text}`;
  const body = html`<${Sign} outcome=${tick.outcome} /> ${moment(ms, zone.value, ms).slice(0, 5)}<span class="visually-hidden"> ${OUTCOMES[tick.outcome].text}</span>`;
  return tick.run_id ? html`<a href=${`/runs/${tick.run_id}`} title=${title}>${body}</a>` : html`<span title=${title}>${body}</span>`;
}

export function Sign({ outcome }) {
  return html`<span class="sign w-${OUTCOMES[outcome].css}" aria-hidden="true">${OUTCOMES[outcome].sign}</span>`;
}
