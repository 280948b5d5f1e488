// One task of a run beside the picture: why, its attempts, its neighbours.
import { html, useEffect, useRef } from "../html.js";
import { closure } from "../model/run.js";
import { hasActions, Loading, ProblemBox, State, useFetch, Why, RunActions } from "../parts/ui.js";

const SHOWN = 12;

export function TaskPanel({ runId, model, index, version, onSelect }) {
  const name = model.task[index];
  const { data, problem, loading, reload } = useFetch(`/runs/${runId}/tasks/${encodeURIComponent(name)}`);
  const word = model.word[index];
  const attempt = model.fact[index]?.attempt ?? 0;
  const seen = useRef("");
  useEffect(() => {
    const now = `${name} ${word} ${attempt} ${model.counts.completed}`;
    if (seen.current !== "" && seen.current !== now && seen.current.startsWith(`${name} `)) reload();
    seen.current = now;
  }, [version, name]);
  const blocks = closure(model.downstream, index);
  const servers = new Set([...blocks].map((at) => model.server[at]));
  const stopped = word === "error" || word === "blocked";
  return html`<div class="stack">
    <div class="row apart"><h2>${name}</h2><button class="plain" aria-label="Close" onClick=${() => onSelect(null)}>×</button></div>
    <div class="row"><${State} word=${word} /><span class="soft">on <a class="inline" href=${`/servers/${model.servers[model.server[index]]}`}>${model.servers[model.server[index]]}</a>${attempt > 1 ? `, attempt ${attempt}` : ""}</span></div>
    ${loading && data === null && html`<${Loading} />`}
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${data !== null && data.task === name && html`<${Why} why=${data.why} state=${word} run=${runId} label=${`Why ${name}`} actions=${hasActions(data.why) && html`<${RunActions} run=${{ ...model, task: model.target }} runId=${runId} from=${name} only="retry" />`} />`}
    <div class="row"><a class="button" href=${`/runs/${runId}/tasks/${encodeURIComponent(name)}`}>Attempts and output</a><a class="button" href=${`/runs/${runId}/logs?task=${encodeURIComponent(name)}`}>Logs</a><a class="button" href=${`/tasks/${encodeURIComponent(name)}`}>History</a></div>
    <${Neighbours} title="Needs" model=${model} indexes=${model.upstream[index]} onSelect=${onSelect} />
    <${Neighbours} title="Needed by" model=${model} indexes=${model.downstream[index]} onSelect=${onSelect} />
    ${blocks.size > 0 && html`<p class="soft">${stopped ? "Blocks" : "Would block"} ${blocks.size.toLocaleString("en")} ${blocks.size === 1 ? "task" : "tasks"} on ${servers.size} ${servers.size === 1 ? "server" : "servers"} if it fails for good.</p>`}
  </div>`;
}

function Neighbours({ title, model, indexes, onSelect }) {
  if (indexes.length === 0) return null;
  return html`<div><h3>${title}</h3><ul class="list">${indexes.slice(0, SHOWN).map((at) => html`<li key=${at}><button onClick=${() => onSelect(at)}><${State} word=${model.word[at]} text="" /> ${model.task[at]}</button></li>`)}</ul>
    ${indexes.length > SHOWN && html`<p class="soft">and ${indexes.length - SHOWN} more</p>`}</div>`;
}
