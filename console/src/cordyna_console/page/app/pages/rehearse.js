// Impact before deploying: rehearse a declaration on the live graph. Nothing is declared by looking.
import { html, useEffect, useState } from "../html.js";
import { post, Problem } from "../api.js";
import { recall } from "../state.js";
import { Command, Empty, ProblemBox, several, useTitle } from "../parts/ui.js";

const EXAMPLE = JSON.stringify({ server: "my-server", contract: "1", revision: 1, tasks: [{ name: "my-task", upstream: [] }] }, null, 2);
const SIGNS = { added: "+", removed: "−", changed: "~" };

export function RehearsePage() {
  useTitle("Rehearse");
  const [text, setText] = useState(recall("rehearsal", ""));
  const [view, setView] = useState(null);
  const [problem, setProblem] = useState(null);
  // `dyna plan --declare my.py --open` hands the declarations over behind the #, which no server sees.
  useEffect(() => {
    const text = readFragment(window.location.hash.slice(1));
    if (text === null) return;
    history.replaceState(null, "", window.location.pathname);
    setText(text);
    look(text);
  }, []);
  const look = async (source) => {
    try {
      const value = JSON.parse(source);
      setView(await post("/rehearsals", { declared: Array.isArray(value) ? value : [value] }));
      setProblem(null);
    } catch (failure) {
      setView(null);
      setProblem(failure instanceof Problem ? failure : { what: "This is not JSON.", why: failure.message, next: "paste a ServerDeclared, or a list of them" });
    }
  };
  const drop = async (event) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0] ?? event.target.files?.[0];
    if (file) { const content = await file.text(); setText(content); look(content); }
  };
  return html`<div class="row apart"><h1>Rehearse a declaration</h1><${Command} text="dyna plan --declare my.py --open" /></div>
    <p class="soft">Nothing is declared by looking. What is pasted is read as JSON and never executed.</p>
    <div class="halves"><section class="card stack" onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
      <label for="declared"><strong>ServerDeclared</strong> <span class="soft">as JSON, one or a list; or drop a file here</span></label>
      <textarea id="declared" rows="18" spellcheck="false" placeholder=${EXAMPLE} value=${text} onInput=${(event) => setText(event.target.value)}></textarea>
      <div class="row"><button class="primary" onClick=${() => look(text)} disabled=${text.trim() === ""}>Rehearse</button><label class="button">Choose a file<input class="visually-hidden" type="file" accept=".json,application/json" onChange=${drop} /></label><button onClick=${() => setText(EXAMPLE)}>Example</button></div></section>
    <div class="stack"><${ProblemBox} problem=${problem} />${view === null ? problem === null && html`<section class="card"><${Empty} title="What would change?"><p>The changes, and who else they would touch, appear here.</p><//></section>` : html`<${Impact} view=${view} />`}</div></div>`;
}

function readFragment(fragment) {
  try {
    const bytes = Uint8Array.from(atob(fragment.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
    const text = new TextDecoder().decode(bytes);
    return fragment === "" ? null : JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null; // not ours
  }
}

function Impact({ view }) {
  const quiet = view.tasks.length + view.edges.length + view.crons.length + view.touched.length + view.missing.length === 0;
  return html`${view.declarations.map((one) => html`<section key=${one.server} class="card ${one.outcome === "rejected" ? "problem" : ""}"><h2>${one.outcome === "rejected" ? "✗" : "✓"} ${one.server} would be ${OUTCOMES[one.outcome]}</h2>${one.problems.length > 0 && html`<ul>${one.problems.map((problem) => html`<li>${problem.message}${problem.path?.length > 1 ? ` (${problem.path.join(" → ")})` : ""}</li>`)}</ul>`}</section>`)}
    <section class="card"><h2>${quiet ? "Nothing would change" : `${several(view.tasks.length, "task")} would change, ${several(view.touched.length, "task")} of other servers would be touched`}</h2><p class="soft">Compared with generation ${view.generation}.</p>
      ${view.tasks.length > 0 && html`<table aria-label="Changed tasks"><thead><tr><th scope="col">Change</th><th scope="col">Task</th><th scope="col">What</th></tr></thead><tbody>${view.tasks.map((one) => html`<tr key=${one.task}><td class="mono">${SIGNS[one.change]} ${one.change}</td><td>${one.task}</td><td>${one.fields.map((field) => html`<div key=${field.what}>${field.what}: <code>${JSON.stringify(field.before)}</code> → <code>${JSON.stringify(field.after)}</code></div>`)}</td></tr>`)}</tbody></table>`}
      ${view.edges.map((one) => html`<p class="mono" key=${`${one.upstream} ${one.task}`}>${SIGNS[one.change]} ${one.upstream} → ${one.task}</p>`)}
      ${view.crons.map((one) => html`<p key=${one.task}>cron of ${one.task}: <code>${one.before ?? "none"}</code> → <code>${one.after ?? "none"}</code></p>`)}
      ${view.missing.map((one) => html`<p key=${one.upstream} class="w-error">✗ ${one.upstream} would be declared by no server; needed by ${one.needed_by.join(", ")}</p>`)}</section>
    ${view.touched.length > 0 && html`<section class="card"><h2>Touched tasks of other servers</h2><table aria-label="Touched tasks"><thead><tr><th scope="col">Task</th><th scope="col">Server, owner</th><th scope="col">Effect</th><th scope="col">By way of</th></tr></thead><tbody>${view.touched.slice(0, 300).map((one) => html`<tr key=${one.task}><td><a href=${`/tasks/${one.task}`}>${one.task}</a>${one.cron && html` <span class="chip">cron</span>`}</td><td>${one.server}${one.owner && `, ${one.owner}`}</td><td class=${one.effect === "unresolved" ? "w-error" : ""}>${EFFECTS[one.effect]}</td><td class="mono">${one.path.join(" → ")}</td></tr>`)}</tbody></table></section>`}`;
}
const OUTCOMES = { accepted: "accepted", same: "a sign of life: it is what is declared already", older_revision: "a sign of life only: its revision is older", rejected: "rejected" };
const EFFECTS = { unresolved: "✗ could not be invoked any more", not_allowed: "✗ could not be invoked any more: not a consumer", resolved: "✓ could be invoked at last", closure: "other tasks would run for it", declaration: "one of its tasks is declared otherwise" };
