// Invoke a task: a form from its schema, and what would run, before anything is sent.
import { find, html, useEffect, useMemo, useState } from "../html.js";
import { post, Problem } from "../api.js";
import { quoted } from "../model/command.js";
import { choiceText, fieldText, mergedFields, readField } from "../model/schema.js";
import { isPlace, location, navigate, setQuery } from "../state.js";
import { Action, Command, Loading, ProblemBox, several, useFetch, useSettled, useTitle } from "../parts/ui.js";

export function InvokePage({ task }) {
  useTitle(`Invoke ${task}`);
  const { data, problem, reload } = useFetch("/tasks");
  const [asJson, setAsJson] = useState(false);
  const [json, setJson] = useState("");
  const [values, setValues] = useState({});
  const [plan, setPlan] = useState(null);
  const [failed, setFailed] = useState(null);
  const [maxAge, setMaxAge] = useState("");
  const [key] = useState(() => crypto.randomUUID());
  const all = useMemo(() => new Map(data?.rows.map((row) => [row.task, row]) ?? []), [data]);
  const names = plan?.tasks.map((one) => one.task) ?? [task];
  const fields = useMemo(() => mergedFields(names.filter((name) => all.has(name)).map((name) => ({ task: name, schema: all.get(name).params_schema }))), [all, names.join(" ")]);
  const given = Object.fromEntries([...location.value.query].filter(([name, text]) => name !== "where" || !isPlace(text)));
  const texts = { ...given, ...values };
  const { params, wrong } = asJson ? readJson(json) : readFields(fields, texts);
  const settled = useSettled(JSON.stringify(params), 200);
  useEffect(() => {
    let over = false;
    post("/plan", { task, params: JSON.parse(settled) }).then(
      (found) => { if (!over) { setPlan(found); setFailed(null); } },
      (why) => { if (!over && why instanceof Problem) setFailed(why); },
    );
    return () => { over = true; };
  }, [task, settled]);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Task" />`;
  const info = all.get(task);
  const set = (name, text) => { setValues({ ...values, [name]: text }); setQuery({ [name]: text }, { replace: true }); };
  const problems = plan?.problems ?? [];
  const ready = Object.keys(wrong).length === 0 && problems.length === 0 && plan !== null;
  const send = async () => {
    const answer = await post("/runs", { task, params, key, max_age_s: maxAge === "" ? null : Number(maxAge) });
    navigate(`/runs/${answer.run_id}/graph`);
  };
  const command = `dyna do ${task}${Object.entries(params).map(([name, value]) => ` -p ${name}=${quoted(typeof value === "string" ? value : JSON.stringify(value))}`).join("")}${maxAge ? ` --max-age ${maxAge}s` : ""}`;
  const submit = (event) => { event.preventDefault(); find("[data-send] button")?.click(); };
  return html`<div class="row apart"><div class="title"><h1>Invoke ${task}</h1><span class="soft">${info ? html`on <a class="inline" href=${`/servers/${info.server}`}>${info.server}</a>${info.owner ? html`, owner <bdi>${info.owner}</bdi>` : ""}` : "no server declares it"}</span></div>
      <div class="row" role="group" aria-label="Params as"><button aria-pressed=${!asJson} onClick=${() => setAsJson(false)}>Form</button><button aria-pressed=${asJson} onClick=${() => { setJson(JSON.stringify(params, null, 2)); setAsJson(true); }}>JSON</button></div></div>
    ${info?.description && html`<p>${info.description}</p>`}
    <div class="halves"><form class="card form" onSubmit=${submit} onKeyDown=${(event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event); }} aria-label="Params">
      ${asJson ? html`<label for="json">Params</label><textarea id="json" rows="12" spellcheck="false" value=${json} onInput=${(event) => setJson(event.target.value)} aria-invalid=${wrong.json !== undefined} aria-describedby="json-wrong"></textarea>${wrong.json && html`<p id="json-wrong" class="w-error">✗ ${wrong.json}</p>`}`
        : fields.length === 0 ? html`<p class="soft">No task of its plan takes a parameter.</p>`
        : fields.map((field) => html`<${Field} key=${field.name} field=${field} text=${texts[field.name] ?? ""} wrong=${wrong[field.name]} onText=${(text) => set(field.name, text)} />`)}
      <div class="field"><label for="max-age">Reuse results</label><select id="max-age" value=${maxAge} onChange=${(event) => setMaxAge(event.target.value)}><option value="">no: run everything</option><option value="600">at most 10 minutes old</option><option value="3600">at most 1 hour old</option><option value="21600">at most 6 hours old</option><option value="86400">at most 1 day old</option></select><span></span></div>
      <div class="row" data-send><${Action} label="Invoke" kind="primary" act=${send} disabled=${!ready} title=${ready ? "Ctrl-Enter" : "put right what is listed first"} /><${Command} text=${command} /></div>
    </form>
    <div class="stack"><${ProblemBox} problem=${failed} /><${PlanCard} plan=${plan} problems=${problems} all=${all} /></div></div>`;
}

function PlanCard({ plan, problems, all }) {
  if (plan === null) return html`<${Loading} what="Plan" />`;
  const levels = [];
  for (const one of plan.tasks) (levels[one.level] ??= []).push(one);
  const servers = new Set(plan.tasks.map((one) => one.server));
  return html`${problems.length > 0 && html`<section class="card problem" role="alert"><h2>It would be refused</h2><ul>${problems.map((one) => html`<li>${one.message}${one.path?.length > 1 ? ` (${one.path.join(" → ")})` : ""}</li>`)}</ul></section>`}
    ${plan.tasks.length > 0 && html`<section class="card"><h2>${problems.length > 0 ? "Would run" : "✓ Would run"} ${several(plan.tasks.length, "task")} on ${several(servers.size, "server")}, in ${several(levels.length, "level")}</h2>
      <ol>${levels.slice(0, 60).map((level, at) => html`<li key=${at}>${level.slice(0, 30).map((one, place) => html`${place > 0 ? ", " : ""}<a class="inline" href=${`/tasks/${encodeURIComponent(one.task)}`} title=${`on ${one.server}`}>${one.task}</a>`)}${level.length > 30 && ` and ${level.length - 30} more`}</li>`)}</ol>
      ${plan.tasks.some((one) => all.get(one.task)?.paused) && html`<p class="soft">A paused cron does not hinder an invocation.</p>`}</section>`}`;
}

function Field({ field, text, wrong, onText }) {
  const id = `field-${field.name}`;
  const common = { id, "aria-invalid": wrong !== undefined, "aria-describedby": `${id}-hint` };
  return html`<div class="field"><label for=${id}>${field.name}${field.required && html` <span class="w-error" title="required">*</span>`}</label>
    ${field.kind === "choice" || field.kind === "boolean" ? html`<select ...${common} value=${text} onChange=${(event) => onText(event.target.value)}><option value="">${field.required ? "choose" : `default${field.default === undefined ? "" : ` (${fieldText(field, field.default)})`}`}</option>${(field.kind === "boolean" ? ["true", "false"] : field.choices.map(choiceText)).map((choice) => html`<option key=${choice} value=${choice}>${choice}</option>`)}</select>`
      : field.kind === "json" ? html`<textarea ...${common} rows="3" spellcheck="false" value=${text} placeholder=${fieldText(field, field.default)} onInput=${(event) => onText(event.target.value)}></textarea>`
      : html`<input ...${common} type="text" inputmode=${field.kind === "text" ? undefined : "decimal"} autocomplete="off" value=${text} placeholder=${field.secret ? "env:NAME, ssm:/path, secretsmanager:id or file:path" : fieldText(field, field.default)} onInput=${(event) => onText(event.target.value)} />`}
    <span class="hint" id="${id}-hint">${field.hint}${field.description && `: ${field.description}`} · asked by ${field.askedBy.slice(0, 3).join(", ")}${field.askedBy.length > 3 ? ` and ${field.askedBy.length - 3} more` : ""}</span>
    ${wrong && html`<span class="wrong">✗ ${wrong}</span>`}</div>`;
}

function readFields(fields, texts) {
  const params = {};
  const wrong = {};
  for (const field of fields) {
    const read = readField(field, texts[field.name]);
    if (read.wrong !== undefined) wrong[field.name] = read.wrong;
    else if (!read.left) params[field.name] = read.value;
  }
  return { params, wrong };
}
function readJson(text) {
  try {
    const value = text.trim() === "" ? {} : JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return { params: {}, wrong: { json: "not a JSON object" } };
    return { params: value, wrong: {} };
  } catch (failure) {
    return { params: {}, wrong: { json: failure.message } };
  }
}
