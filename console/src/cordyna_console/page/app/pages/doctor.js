// What the doctor finds: everything that has to be well before a task can run.
import { html } from "../html.js";
import { openIncidents } from "../state.js";
import { Command, Loading, ProblemBox, several, State, useFetch, useRefresh, useTitle } from "../parts/ui.js";

export function DoctorPage() {
  useTitle("Doctor");
  const { data, problem, reload } = useFetch("/doctor");
  useRefresh(reload, 10_000);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Doctor" />`;
  const bad = data.rows.filter((row) => row.state !== "well");
  return html`<div class="row apart"><h1>Doctor</h1><span class="row"><button onClick=${reload}>Examine again</button><${Command} text="dyna doctor" /></span></div>
    <section class="card why ${bad.some((row) => row.state === "broken") ? "w-b-error" : bad.length > 0 ? "" : "w-b-completed"}"><p class="sentence">${bad.length === 0 ? "✓ Everything is well." : `${bad.length} of ${data.rows.length} are worth a look.`}</p>
      ${openIncidents.value.length > 0 && html`<p>It examines what runs tasks, not the tasks: <a class="inline" href="/incidents">${several(openIncidents.value.length, "incident")} of tasks and servers</a> beside it.</p>`}</section>
    <section class="card flush"><div class="scroll"><table aria-label="Findings"><thead><tr><th scope="col">What</th><th scope="col">State</th><th scope="col">Found</th><th scope="col">Next</th></tr></thead><tbody>${data.rows.map((row) => html`<tr key=${row.what}><td class="short">${row.what}</td><td class=${row.state === "well" ? "w-completed" : row.state === "broken" ? "w-error" : "w-retry-wait"}><${State} word=${row.state} /></td><td>${row.found}</td><td class="next">${row.next.startsWith("dyna ") ? html`<${Command} text=${row.next} />` : row.next}</td></tr>`)}</tbody></table></div></section>`;
}
