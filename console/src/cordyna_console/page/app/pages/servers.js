// Every task server, with its sign of life and what was wrong with its last declaration.
import { html } from "../html.js";
import { Command, Empty, Loading, Moment, ProblemBox, rowLink, State, useFetch, useRefresh, useTitle } from "../parts/ui.js";

export function ServersPage() {
  useTitle("Servers");
  const { data, problem, reload } = useFetch("/servers");
  useRefresh(reload, 5_000);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Servers" />`;
  return html`<div class="row apart"><h1>Servers</h1><${Command} text="dyna servers" /></div>
    ${data.rows.filter((row) => row.last_rejection).map((row) => html`<${Rejected} key=${row.server} row=${row} />`)}
    ${data.rows.filter((row) => row.problem).map((row) => html`<${NotLoaded} key=${row.server} row=${row} />`)}
    ${data.rows.length === 0 ? html`<section class="card"><${Empty} title="No server has declared anything."><${Command} text="dyna --server my.py dev" /><//></section>`
      : html`<section class="card flush"><div class="scroll"><table aria-label="Servers"><thead><tr><th scope="col">State</th><th scope="col">Server</th><th scope="col" class="wide">Owners</th><th scope="col" class="number">Tasks</th><th scope="col" class="number wide">Crons</th><th scope="col" class="wide">Workers</th><th scope="col">Sign of life</th><th scope="col" class="wide">Uses</th><th scope="col" class="wide">Used by</th></tr></thead>
      <tbody>${data.rows.map((row) => html`<tr key=${row.server} ...${rowLink(`/servers/${row.server}`)}><td><${State} word=${row.state} /></td><td><a href=${`/servers/${row.server}`}>${row.server}</a></td><td class="wide">${row.owners.join(", ")}</td><td class="number">${row.tasks}</td><td class="number wide">${row.crons}</td><td class="wide short">${workers(row)}</td><td class="short"><${Moment} at=${row.last_seen_at} relative /></td><td class="wide">${row.uses.join(", ")}</td><td class="wide">${row.used_by.join(", ")}</td></tr>`)}</tbody></table></div></section>`}`;
}

/** `2 of 8 busy, 3 wait`; empty where it is not known. */
export function workers({ workers: found }) {
  if (found === null) return "";
  return `${found.running} of ${found.concurrency} busy${found.waiting > 0 ? `, ${found.waiting} wait` : ""}`;
}

export function NotLoaded({ row }) {
  return html`<section class="card problem" role="alert"><h2>${row.server} did not load</h2><pre>${row.problem}</pre></section>`;
}

export function Rejected({ row }) {
  return html`<section class="card problem" role="alert"><h2>The last declaration of ${row.server} was rejected</h2><p class="soft"><${Moment} at=${row.last_rejection.at} />: its accepted tasks stay as they were.</p><ul>${row.last_rejection.problems.map((one) => html`<li style=${{ whiteSpace: "pre-line" }}>${one.message}${one.path?.length > 1 ? ` (${one.path.join(" → ")})` : ""}</li>`)}</ul></section>`;
}
