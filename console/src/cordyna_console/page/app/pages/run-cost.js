// What orchestrating this run costs on AWS, or would cost there: an estimate, and called one.
import { html } from "../html.js";
import { Loading, ProblemBox, useFetch } from "../parts/ui.js";

export function RunTab({ runId }) {
  const { data, problem, reload } = useFetch(`/runs/${runId}/cost`);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Cost" />`;
  return html`<section class="card"><h2>Orchestration on AWS: about ${dollars(data.total)}</h2>
    <p class="soft">An estimate from ${data.tasks.toLocaleString("en")} attempts and ${data.edges.toLocaleString("en")} edges at the prices of us-east-1. What the tasks themselves cost is not in it, nor are logs.</p>
    <div class="scroll"><table aria-label="Cost"><thead><tr><th scope="col">What</th><th scope="col" class="number">How many</th><th scope="col" class="number">Dollars</th></tr></thead>
    <tbody>${data.lines.map((line) => html`<tr key=${line.what}><td>${line.what}</td><td class="number">${line.count.toLocaleString("en")}</td><td class="number">${dollars(line.dollars)}</td></tr>`)}</tbody></table></div></section>`;
}
function dollars(amount) {
  return amount === 0 ? "$0" : amount < 0.01 ? `$${amount.toPrecision(2)}` : `$${amount.toFixed(2)}`;
}
