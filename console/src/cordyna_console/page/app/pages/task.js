// One declared task: what it needs, who needs it, its last runs.
import { html } from "../html.js";
import { span } from "../clock.js";
import { Command, Empty, Loading, Moment, ProblemBox, rowLink, RunId, State, useFetch, useRefresh, useTitle } from "../parts/ui.js";
import { declaredRows } from "../model/declared.js";
import { fieldsOf } from "../model/schema.js";
import { cssOf, wordOf } from "../words.js";
import { invokePath } from "../model/command.js";

export function TaskPage({ task }) {
  useTitle(task);
  const { data, problem, reload } = useFetch(`/tasks/${encodeURIComponent(task)}`);
  const history = useFetch(`/tasks/${encodeURIComponent(task)}/history`);
  useRefresh(() => { reload(); history.reload(); }, 5_000);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Task" />`;
  const fields = fieldsOf(data.params_schema);
  const returned = fieldsOf(data.output_schema).map((field) => ({ ...field, required: false }));
  return html`
    <div class="row apart"><div class="title"><h1>${data.task}</h1><span class="soft">on <a class="inline" href=${`/servers/${data.server}`}>${data.server}</a>${data.owner && html`, owner <bdi>${data.owner}</bdi>`}</span></div>
      <span class="row"><a class="button" href=${invokePath(task)}>Invoke</a><a class="button" href=${`/graph?task=${encodeURIComponent(task)}`}>In the graph</a><${Command} text=${`dyna do ${task}`} /></span></div>
    ${data.description && html`<p>${data.description}</p>`}
    ${data.unresolved.length > 0 && html`<section class="card problem" role="alert"><h2>It cannot be invoked.</h2><p>No server declares ${data.unresolved.join(", ")}.</p></section>`}
    <div class="halves"><section class="card"><dl>
      <dt>Needs</dt><dd><${Names} names=${data.upstream} none="nothing" /></dd><dt>Needed by</dt><dd><${Names} names=${data.downstream} none="nothing" /></dd>
      <dt>Cron</dt><dd>${data.cron ? html`<code>${data.cron}</code> ${data.timezone}, next <${Moment} at=${data.next_at} />${data.paused && ", paused"}` : html`<span class="soft">none</span>`}</dd>
      ${declaredRows(data).map(([title, text]) => html`<dt key=${title}>${title}</dt><dd>${text}</dd>`)}</dl></section>
    <section class="card"><h2>Params</h2>${fields.length === 0 ? html`<p class="soft">It takes none.</p>` : html`<${Fields} fields=${fields} />`}</section></div>
    ${returned.length > 0 && html`<section class="card"><h2>Returns</h2><${Fields} fields=${returned} /></section>`}
    <${History} data=${history.data} problem=${history.problem} />`;
}

function Fields({ fields }) {
  return html`<dl>${fields.map((field) => html`<dt key=${field.name}>${field.name}${field.required ? " (required)" : ""}</dt><dd>${field.hint}${field.description && html`<br /><span class="soft">${field.description}</span>`}</dd>`)}</dl>`;
}

function Names({ names, none }) {
  if (names.length === 0) return html`<span class="soft">${none}</span>`;
  return html`${names.slice(0, 80).map((name, at) => html`${at > 0 ? ", " : ""}<a class="inline" href=${`/tasks/${encodeURIComponent(name)}`}>${name}</a>`)}${names.length > 80 && ` and ${names.length - 80} more`}`;
}

function History({ data, problem }) {
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} as="h1" />` : html`<${Loading} what="History" />`;
  if (data.rows.length === 0) return html`<section class="card"><${Empty} title="It was not run yet."><p>The last ${data.looked_at} runs were looked at.</p><//></section>`;
  const longest = Math.max(...data.rows.map((row) => row.ran ?? 0), 0.001);
  return html`<section class="card"><h2>${data.rows.length === 1 ? "Last run" : `Last ${data.rows.length} runs`}</h2>
    <div class="spark" role="img" aria-label=${`Durations of the last ${data.rows.length} runs, the oldest first`}>${[...data.rows].reverse().map((row) => html`<i key=${row.run_id} title=${`${wordOf(row.state, row.reason)} ${row.ran === null ? "" : span(row.ran)}`}><span class="b-${cssOf(wordOf(row.state, row.reason))}" style=${{ width: "8px", height: `${Math.max(3, (20 * (row.ran ?? 0)) / longest)}px` }}></span></i>`)}</div>
    <div class="scroll"><table aria-label="Last runs"><thead><tr><th scope="col">State</th><th scope="col">Run</th><th scope="col">For</th><th scope="col">Began</th><th scope="col" class="number wide">Waited</th><th scope="col" class="number">Ran</th><th scope="col" class="number wide">Attempt</th></tr></thead>
    <tbody>${data.rows.map((row) => html`<tr key=${row.run_id} ...${rowLink(`/runs/${row.run_id}/tasks/${encodeURIComponent(data.task)}`)}><td><${State} word=${wordOf(row.state, row.reason)} /></td><td><a href=${`/runs/${row.run_id}/tasks/${encodeURIComponent(data.task)}`}><${RunId} id=${row.run_id} /></a></td><td>${row.target}</td><td><${Moment} at=${row.at} /></td><td class="number wide">${row.waited === null ? "" : span(row.waited)}</td><td class="number">${row.ran === null ? "" : span(row.ran)}</td><td class="number wide">${row.attempt || ""}</td></tr>`)}</tbody></table></div></section>`;
}
