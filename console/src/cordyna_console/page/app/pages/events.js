// What passes the bus: time, sender, receiver, message, task.
import { html, useEffect, useRef, useState } from "../html.js";
import { get } from "../api.js";
import { exact, inZone, parse } from "../clock.js";
import { follow } from "../live.js";
import { now, setQuery, zone } from "../state.js";
import { Command, Empty, Loading, ProblemBox, useTitle, Zone } from "../parts/ui.js";
import { Json } from "../parts/json.js";
import { Live } from "./runs.js";

const PAGE = 200;
const KEPT = 400;

export function EventsPage() {
  useTitle("Bus");
  const [rows, setRows] = useState([]);
  const [connection, setConnection] = useState("");
  // What was shown when it was held: what passes meanwhile is kept, and shown when it continues.
  const [held, setHeld] = useState(null);
  useEffect(() => follow("/events/live", {
    pollMs: 15_000,
    poll: async (query, cursor) => { const data = await get("/events", { query: { ...query, after: cursor ?? 0, limit: KEPT } }); return { data, cursor: data.rows.at(-1)?.seq ?? cursor }; },
    onData: (data) => setRows((old) => [...old, ...data.rows].slice(-KEPT)),
    onState: setConnection,
  }), []);
  return html`<div class="row apart"><h1>What passes the bus</h1><span class="row"><${Live} state=${connection} /><button aria-pressed=${held !== null} onClick=${() => setHeld(held === null ? rows : null)}>${held !== null ? "Continue" : "Hold"}</button><${Command} text="dyna dev" /></span></div>
    <p class="soft">The last ${KEPT} events, the newest first. A line opens its envelope.</p>
    <section class="card flush">${(held ?? rows).length === 0 ? html`<${Empty} title="Nothing has passed yet."><p>Events appear here as they pass.</p><//>` : html`<${Rows} rows=${[...(held ?? rows)].reverse()} />`}</section>`;
}

/** Events of a run, page by page; new ones are appended when the run has changed. */
export function EventTable({ path, task, version, command }) {
  const [state, setState] = useState({ path: "", rows: [], next: null, problem: null, loaded: false });
  const busy = useRef(false);
  const load = async (after, old) => {
    if (busy.current) return;
    busy.current = true;
    try {
      const page = await get(path, { query: { after, task, limit: PAGE } });
      setState({ path: `${path} ${task}`, rows: [...old, ...page.rows], next: page.next, problem: null, loaded: true });
    } catch (problem) {
      setState((now) => ({ ...now, problem, loaded: true }));
    } finally {
      busy.current = false;
    }
  };
  useEffect(() => { load(0, []); }, [path, task]);
  useEffect(() => {
    const current = state.path === `${path} ${task}`;
    if (current && state.next === null && state.rows.length > 0) load(state.rows.at(-1).seq, state.rows);
  }, [version]);
  return html`<div class="row"><${Command} text=${command} />${task && html`<button onClick=${() => setQuery({ task: null })}>only ${task} ×</button>`}</div>
    <${ProblemBox} problem=${state.problem} retry=${() => load(0, [])} />
    ${!state.loaded && html`<${Loading} what="Events" />`}
    ${state.loaded && state.rows.length === 0 && state.problem === null && html`<section class="card"><${Empty} title="No event of this run is known."><p>The log of a bus in the cloud is some seconds late.</p><//></section>`}
    ${state.rows.length > 0 && html`<section class="card flush"><${Rows} rows=${state.rows.slice(-KEPT)} /></section>`}
    ${state.rows.length > KEPT && html`<p class="soft">The last ${KEPT} of ${state.rows.length} that were loaded are shown.</p>`}
    ${state.next !== null && html`<button onClick=${() => load(state.next, state.rows)}>More events</button>`}`;
}

function Rows({ rows }) {
  const [open, setOpen] = useState(null);
  return html`<div class="scroll"><table aria-label="Events"><thead><tr><th scope="col">Time <${Zone} /></th><th scope="col">From</th><th scope="col"><span class="visually-hidden">to</span></th><th scope="col">To</th><th scope="col">Message</th><th scope="col">Task</th><th scope="col" class="wide">About</th></tr></thead>
    <tbody>${rows.map((row) => html`<${Line} key=${row.seq} row=${row} open=${open === row.seq} toggle=${() => setOpen(open === row.seq ? null : row.seq)} />`)}</tbody></table></div>`;
}

function Line({ row, open, toggle }) {
  const at = parse(row.at);
  const isCommand = row.is_command;
  return html`<tr class="clickable" onClick=${(event) => { if (!event.target.closest("a,button")) toggle(); }}>
      <td class="mono">${at === null ? "?" : exact(at, zone.value).slice(11, 23)}</td><td>${row.sender}</td><td class="soft" aria-label=${isCommand ? "commands" : "tells"}>${isCommand ? "→" : "⇢"}</td><td>${row.receiver}</td>
      <td><button class="plain" aria-expanded=${open} onClick=${toggle}>${isCommand ? html`<strong>${row.what}</strong>` : row.what}</button></td>
      <td>${row.task ?? ""}${row.attempt ? `/${row.attempt}` : ""}</td><td class="wide">${inZone(row.detail, zone.value, now())}</td></tr>
    ${open && html`<tr><td colspan="7"><${Envelope} text=${row.text} /></td></tr>`}`;
}

function Envelope({ text }) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return html`<pre>${text}</pre>`;
  }
  return html`<div class="json"><${Json} value=${value} /></div>`;
}
