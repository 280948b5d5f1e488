// One run: why it is as it is, and its tabs. All tabs share one model, kept live by rows.
import { html, signal, useEffect, useMemo, useRef, useState } from "../html.js";
import { get } from "../api.js";
import { parse, span } from "../clock.js";
import { follow } from "../live.js";
import { paramsLine } from "../model/command.js";
import { applyFacts, createRun } from "../model/run.js";
import { keep, location, me, navigate, now, recall, second, setQuery, toast, withQuery } from "../state.js";
import { Action, Command, Counts, Loading, Moment, ProblemBox, RunActions, runWord, several, State, Tabs, useTitle, Why } from "../parts/ui.js";
import { Lazy, preload } from "../parts/lazy.js";
import { Live } from "./runs.js";

const TABS = [["graph", "Graph"], ["timeline", "Timeline"], ["tasks", "Tasks"], ["events", "Events"], ["logs", "Logs"], ["params", "Params and output"], ["cost", "Cost"], ["replay", "Replay"]];

export function RunPage({ runId, tab }) {
  const chosen = tab ?? recall("tab", "graph");
  // The tab's modules are loaded while the run is asked for.
  useEffect(() => preload(`/app/pages/run-${chosen}.js`), [chosen]);
  const { head, model, version, problem, connection, retry } = useRun(runId);
  useEffect(() => { if (tab && TABS.some(([id]) => id === tab)) keep("tab", tab); }, [tab]);
  useWholeId(runId, head?.run_id);
  useTitle(head ? `${head.task} ${runWord(head)}` : "Run");
  const task = location.value.query.get("task");
  const word = location.value.query.get("word");
  if (problem && head === null) return html`<${ProblemBox} problem=${problem} retry=${retry} as="h1" />`;
  if (head === null) return html`<${Loading} what="Run" />`;
  const state = model?.state ?? head.state;
  const shown = { ...head, state, cancelled: model?.cancelled ?? head.cancelled };
  const href = (id) => `/runs/${runId}/${id}${task ? `?task=${encodeURIComponent(task)}` : ""}`;
  const compare = async () => {
    const before = await get("/runs", { query: { task: head.task, before: runId, limit: 1 } });
    if (before.rows.length === 0) toast(`there is no earlier run of ${head.task}`);
    else navigate(`/compare/${before.rows[0].run_id}/${runId}`);
  };
  return html`
    <${Title} head=${shown} model=${model} connection=${connection} />
    <${Why} why=${model?.why ?? head.why} state=${runWord(shown)} run=${runId} actions=${html`<${RunActions} run=${shown} runId=${runId} />`} />
    <${ProblemBox} problem=${problem} retry=${retry} />
    <div class="row"><span class="soft">${several(head.size, "task")}:</span><${Counts} counts=${model?.counts ?? head.counts} chosen=${word} onChoose=${(one) => setQuery({ word: one })} /><${Action} label="Compare with the run before" right="look" act=${compare} /></div>
    <${Tabs} label="Of this run" current=${chosen} tabs=${TABS.filter(([id]) => id !== "replay" || me.value?.engine === "embedded").map(([id, text]) => [id, text, href(id)])} />
    <${Lazy} key=${chosen} module=${`/app/pages/run-${chosen}.js`} name="RunTab" runId=${runId} head=${shown} model=${model} version=${version} task=${task} word=${word} />`;
}

/** An address with the beginning of an id becomes the one with the whole of it. */
export function useWholeId(typed, runId) {
  useEffect(() => {
    if (runId && runId !== typed) navigate(withQuery({}, location.value.path.replace(`/runs/${typed}`, `/runs/${runId}`)), { replace: true });
  }, [typed, runId]);
}

function Title({ head, model, connection }) {
  second.value;
  const began = parse(head.created_at);
  const params = paramsLine(head.params);
  const ended = model?.endedAt ?? parse(head.ended_at);
  const over = head.state === "completed" || head.state === "error";
  return html`<div class="row apart"><div class="title"><h1 title=${head.run_id}>${head.task}</h1><${State} word=${runWord(head)} />
      <span class="soft">${head.server && html`on <a class="inline" href=${`/servers/${head.server}`}>${head.server}</a>`}${head.owner && html`, owner <bdi>${head.owner}</bdi>`}</span>
      ${began !== null && html`<span>${span(((over ? ended ?? began : now()) - began) / 1000)}</span>`}
      <span class="soft">began <${Moment} at=${head.created_at} />${head.scheduled_at && html`, by cron for <${Moment} at=${head.scheduled_at} />`}${params && html`, with <bdi class="mono">${params}</bdi>`}</span>
      ${Object.entries(head.labels).filter(([name, value]) => name !== "via" || value !== "console").map(([name, value]) => html`<a key=${name} class="chip" title=${`${name}=${value}`} href=${`/runs?label=${encodeURIComponent(`${name}=${value}`)}`}>${name}=${value}</a>`)}</div>
    <span class="row">${!over && html`<${Live} state=${connection} />`}<${Command} text=${`dyna show ${head.run_id}`} /></span></div>`;
}

/** The model of a run, kept live. `version` steps whenever rows were put in. */
export function useRun(runId) {
  const [head, setHead] = useState(null);
  const [problem, setProblem] = useState(null);
  const [connection, setConnection] = useState("");
  const [again, setAgain] = useState(0);
  const version = useMemo(() => signal(0), [runId]);
  const model = useRef(null);
  useEffect(() => {
    let stop = () => {};
    let ended = false;
    model.current = null;
    setHead(null);
    setProblem(null);
    const begin = async () => {
      // All at once: head and facts are of one reading, and the structure may be known already.
      const parts = ["", "/structure", "/facts"].map((part) => get(`/runs/${runId}${part}`));
      parts[0].then((first) => { if (!ended) setHead(first); }, () => {});
      const [, structure, facts] = await Promise.all(parts);
      if (ended) return;
      const run = createRun(structure);
      performance.mark("run-fetched");
      put(run, facts);
      stop = follow(`/runs/${runId}/live`, { after: facts.cursor, pollPath: `/runs/${runId}/facts`, onData: (data) => put(run, data), onState: (state, why) => { setConnection(state); if (why !== undefined) setProblem(why); } });
    };
    const put = (run, facts) => {
      const start = performance.now();
      applyFacts(run, facts);
      model.current = run;
      version.value += 1;
      performance.measure("apply-rows", { start, detail: facts.columns.step.length });
    };
    begin().catch((failed) => { if (!ended) setProblem(failed); });
    return () => { ended = true; stop(); };
  }, [runId, again]);
  return { head, model: model.current, version: version.value, problem, connection, retry: () => setAgain(again + 1) };
}
