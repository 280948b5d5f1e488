// Deciding the run again from its events: would today's cerebro do the same? Nothing is changed.
import { html } from "../html.js";
import { Command, Loading, Moment, ProblemBox, several, useFetch, Zone } from "../parts/ui.js";

const HOW = {
  missing: "decided then, and not again", new: "decided only again", otherwise: "decided otherwise", time: "decided at another time", end: "ends otherwise",
};

export function RunTab({ runId, version }) {
  const { data, problem, loading, reload } = useFetch(`/runs/${runId}/replay`);
  void version;
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} />` : html`<${Loading} what="Deciding it again" />`;
  const same = data.divergences.length === 0;
  return html`<section class="card why ${same ? "w-b-completed" : "w-b-error"}"><p class="sentence">${same ? "✓ Decided again, it goes the same way." : `✗ Decided again, ${several(data.divergences.length, "decision")} would differ.`}</p>
      <ul><li>${several(data.heard, "event")} were received, and ${several(data.decided, "event")} published.</li><li>A replay reads the events of the run and today's rules. It sends nothing and changes nothing.</li></ul>
      <div class="row steps"><button onClick=${reload} aria-disabled=${loading}>Decide it again</button><${Command} text=${`dyna replay ${runId}`} /></div></section>
    <${ProblemBox} problem=${problem} />
    ${!same && html`<section class="card flush"><div class="scroll"><table aria-label="Divergences"><thead><tr><th scope="col">At <${Zone} /></th><th scope="col">Decision</th><th scope="col">Task</th><th scope="col">How</th><th scope="col">Then, and again</th></tr></thead>
      <tbody>${data.divergences.slice(0, 300).map((one, at) => html`<tr key=${at}><td>${one.at ? html`<${Moment} at=${one.at} />` : "–"}</td><td>${one.what}</td><td>${one.task ?? ""}${one.attempt ? `/${one.attempt}` : ""}</td><td>${HOW[one.how]}</td>
        <td>${one.differences.map((field) => html`<div key=${field.what}>${field.what}: <code>${JSON.stringify(field.before)}</code> → <code>${JSON.stringify(field.after)}</code></div>`)}</td></tr>`)}</tbody></table></div>
      ${data.divergences.length > 300 && html`<p class="soft">300 of ${data.divergences.length} are shown.</p>`}</section>`}`;
}
