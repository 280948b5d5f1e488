// Two runs side by side: what ran in only one, other words, durations, outputs.
import { html, useEffect, useState } from "../html.js";
import { get } from "../api.js";
import { span } from "../clock.js";
import { applyFacts, createRun } from "../model/run.js";
import { compareJson, compareRuns } from "../model/diff.js";
import { Loading, Moment, ProblemBox, RunId, runWord, several, State, useTitle } from "../parts/ui.js";
import { VirtualTable } from "../parts/table.js";

async function whole(runId) {
  const head = await get(`/runs/${runId}`);
  const [structure, facts, target] = await Promise.all([get(`/runs/${runId}/structure`), get(`/runs/${runId}/facts`), get(`/runs/${runId}/tasks/${encodeURIComponent(head.task)}`)]);
  const run = createRun(structure);
  applyFacts(run, facts);
  return { head, run, output: target.output };
}

export function ComparePage({ a, b }) {
  useTitle("Compare");
  const [sides, setSides] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let over = false;
    setSides(null);
    setProblem(null);
    Promise.all([whole(a), whole(b)]).then((both) => { if (!over) setSides(both); }, (failed) => { if (!over) setProblem(failed); });
    return () => { over = true; };
  }, [a, b]);
  if (problem) return html`<${ProblemBox} problem=${problem} as="h1" />`;
  if (sides === null) return html`<${Loading} what="Both runs" />`;
  const [left, right] = sides;
  const rows = compareRuns(left.run, right.run).map((row) => ({ ...row, key: row.task }));
  const outputs = compareJson(left.output, right.output);
  const params = compareJson(left.head.params, right.head.params);
  const cell = (word) => (word === null ? html`<span class="soft">not in this run</span>` : html`<${State} word=${word} />`);
  const columns = [
    { name: "task", label: "Task", render: (row) => html`<a href=${`/runs/${row.b === null ? a : b}/tasks/${encodeURIComponent(row.task)}`}>${row.task}</a>` },
    { name: "a", label: "A", render: (row) => cell(row.a) }, { name: "b", label: "B", render: (row) => cell(row.b) },
    { name: "ranA", label: "A ran", class: "number", render: (row) => (row.ranA === null ? "" : span(row.ranA / 1000)) }, { name: "ranB", label: "B ran", class: "number", render: (row) => (row.ranB === null ? "" : span(row.ranB / 1000)) },
    { name: "difference", label: "Difference", class: "number", render: (row) => (row.difference === null ? "" : `${row.difference < 0 ? "−" : "+"}${span(Math.abs(row.difference) / 1000)}`) },
  ];
  return html`<h1>Compare two runs</h1><div class="halves"><${Side} name="A" side=${left} /><${Side} name="B" side=${right} /></div>
    <section class="card flush"><${VirtualTable} label="Tasks of both runs" columns=${columns} rows=${rows} /></section>
    <div class="halves"><${Differences} title="Params" found=${params} /><${Differences} title="Output of the target" found=${outputs} /></div>`;
}
function Side({ name, side }) {
  return html`<section class="card"><h2>${name}: <a class="inline" href=${`/runs/${side.head.run_id}`}>${side.head.task} <${RunId} id=${side.head.run_id} /></a></h2><${State} word=${runWord(side.head)} /> <span class="soft">began <${Moment} at=${side.head.created_at} />, ${several(side.head.size, "task")}</span></section>`;
}
function Differences({ title, found }) {
  return html`<section class="card"><h2>${title}</h2>${found.length === 0 ? html`<p class="soft">The same.</p>` : html`<table aria-label=${title}><thead><tr><th scope="col">Where</th><th scope="col">A</th><th scope="col">B</th></tr></thead><tbody>${found.map(([path, x, y]) => html`<tr key=${path}><td class="mono">${path}</td><td class="mono">${short(x)}</td><td class="mono">${short(y)}</td></tr>`)}</tbody></table>`}</section>`;
}
function short(value) {
  const text = JSON.stringify(value) ?? "–";
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
