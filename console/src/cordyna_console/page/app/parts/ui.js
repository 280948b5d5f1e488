// Small parts that every page uses.
import { html, useEffect, useRef, useState } from "../html.js";
import { address, get, post, Problem } from "../api.js";
import { ago, exact, inZone, moment, parse, zoneName } from "../clock.js";
import { location, me, navigate, now, overlay, second, toast, trouble, zone } from "../state.js";
import { cssOf, RUN_SIGNS, several, signOf } from "../words.js";
import { invokePath } from "../model/command.js";
import { countList } from "../model/run.js";

/** What an address answers: { data, problem, loading, reload }. Old data stays while new is asked for. */
export function useFetch(path, query = {}) {
  const key = path === null ? null : address(path, query);
  const [state, setState] = useState({ key: null, data: null, problem: null });
  const [version, setVersion] = useState(0);
  useEffect(() => {
    if (key === null) return undefined;
    const controller = new AbortController();
    get(path, { query, signal: controller.signal }).then(
      (data) => setState({ key, data, problem: null }),
      (problem) => { if (problem.name !== "AbortError") setState((old) => ({ ...old, key, problem })); },
    );
    return () => controller.abort();
  }, [key, version]);
  return { ...state, loading: key !== null && state.key !== key, reload: () => setVersion((at) => at + 1) };
}

/** Ask again when the console answers again, and each `everyMs` while the page is visible. */
export function useRefresh(reload, everyMs) {
  const wasTrouble = useRef(false);
  const isTrouble = trouble.value !== null;
  useEffect(() => {
    if (wasTrouble.current && !isTrouble) reload();
    wasTrouble.current = isTrouble;
  }, [isTrouble]);
  useEffect(() => {
    if (!everyMs) return undefined;
    const timer = setInterval(() => { if (!document.hidden) reload(); }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
}

export function useTitle(text) {
  useEffect(() => { document.title = text ? `${text} · cordyna` : "cordyna"; }, [text]);
}

/** A value that follows `value` once it has been still for a while: a search is not sent per letter. */
export function useSettled(value, ms = 250) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

export function State({ word, text = word }) {
  return html`<span class="state w-${cssOf(word)}"><span class="sign" aria-hidden="true">${signOf(word) === "?" ? RUN_SIGNS[word] ?? "?" : signOf(word)}</span>${" "}${text}</span>`;
}
export function runWord(run) {
  return run.cancelled ? "cancelled" : run.state;
}

/** The beginning of a run's id, which `dyna` takes too; the whole of it as its title. */
export function RunId({ id }) {
  return html`<span class="mono" title=${id}>${id.slice(0, 8)}</span>`;
}

/** A moment in the chosen zone; the whole of it, in UTC too, as its title. */
export function Moment({ at, relative = false }) {
  const ms = typeof at === "number" ? at : parse(at);
  if (ms === null) return html`<span class="soft">–</span>`;
  if (relative) second.value;
  const text = relative ? ago(ms, now()) : moment(ms, zone.value, now());
  return html`<time datetime=${new Date(ms).toISOString()} title=${`${exact(ms, zone.value)}\n${new Date(ms).toISOString()}`}>${text}</time>`;
}
export function Zone() {
  return html`<span class="soft">(${zoneName(zone.value)})</span>`;
}

/** A command of `dyna` that can be copied. */
export function Command({ text, as = me.value?.command ?? "dyna" }) {
  const whole = text.replace(/^dyna /, `${as} `).split("   ")[0];
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(whole);
      toast(`copied: ${whole}`);
    } catch {
      toast("this browser does not let the page copy: select the command and copy it", "error");
    }
  };
  return html`<button class="command" title="copy" onClick=${copy}>${whole}</button>`;
}

export function Counts({ counts, chosen = null, onChoose = null }) {
  return html`<div class="counts">${countList(counts).map(([word, count]) => onChoose === null
    ? html`<span key=${word}><${State} word=${word} text=${`${count.toLocaleString("en")} ${word}`} /></span>`
    : html`<button key=${word} aria-pressed=${chosen === word} onClick=${() => onChoose(chosen === word ? null : word)}>
        <${State} word=${word} text=${`${count.toLocaleString("en")} ${word}`} /></button>`)}</div>`;
}

export function Bar({ counts }) {
  const list = countList(counts).reverse();
  const total = list.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return null;
  const text = list.map(([word, count]) => `${count} ${word}`).join(", ");
  const done = (counts.completed ?? 0) + (counts.reused ?? 0);
  return html`<span class="progress"><span class="bar" role="img" aria-label=${text} title=${text}>${list.map(([word, count]) =>
    html`<span key=${word} class="b-${cssOf(word)}" style=${{ width: `${(100 * count) / total}%` }}></span>`)}</span>
    <span class="mono">${done}/${total}</span></span>`;
}

export function ProblemBox({ problem, retry = null, as = "h2" }) {
  if (problem === null || problem === undefined) return null;
  const command = /^`?(dyna [^`]*)`?$/.exec(problem.next);
  return html`<section class="card problem" role="alert">
    <${as}>${problem.what}<//>
    ${problem.problems?.length > 0
      ? html`<ul>${problem.problems.map((one) => html`<li>${one.message}${one.path?.length > 1 ? ` (${one.path.join(" → ")})` : ""}</li>`)}</ul>`
      : problem.why && html`<p>${problem.why}</p>`}
    <div class="row">${problem.next && (command ? html`<${Command} text=${command[1]} />` : html`<p>Next: ${problem.next}</p>`)}
      ${retry && html`<button onClick=${retry}>Try again</button>`}</div>
  </section>`;
}

export function Empty({ title, children, as = "h2" }) {
  return html`<div class="empty"><${as}>${title}<//>${children}</div>`;
}
export function Loading({ what = "Loading" }) {
  return html`<p class="loading" aria-live="polite">${what} …</p>`;
}

/** Whether this person may do something, and which policy is missing when not. */
export function permission(right) {
  const allowed = me.value?.can?.[right] ?? "unknown";
  return { allowed: allowed !== "no", why: allowed === "no" ? `not allowed: the policy <bus>-${right} is missing` : "" };
}

const PENDING_MS = 2_000;

/** A button that does something, shows that it is being done, and says what became of it. */
export function Action({ label, right = "invoke", act, done, kind = "", confirm = null, disabled = false, title = "", name = undefined }) {
  const [busy, setBusy] = useState(false);
  const { allowed, why } = permission(right);
  // Not the state: a second click may come before the button is drawn again.
  const doing = useRef(false);
  const go = async () => {
    if (doing.current) return;
    doing.current = true;
    setBusy(true);
    const pending = setTimeout(() => toast(`${label}: sent, and not applied yet. It is waited for.`), PENDING_MS);
    try {
      const answer = await act();
      if (done) toast(typeof done === "function" ? done(answer) : done, "good");
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      overlay.value = { kind: "problem", problem };
    } finally {
      clearTimeout(pending);
      doing.current = false;
      setBusy(false);
    }
  };
  const press = () => {
    if (busy || disabled || !allowed) return;
    if (confirm) overlay.value = { kind: "confirm", typed: null, ...confirm, go };
    else go();
  };
  return html`<button class=${kind} onClick=${press} aria-label=${name} aria-disabled=${busy || disabled || !allowed} title=${why || title}>${busy ? `${label} …` : label}</button>`;
}

export function Tabs({ tabs, current, label }) {
  return html`<nav class="tabs" aria-label=${label}>${tabs.map(([id, text, href]) =>
    html`<a key=${id} href=${href} aria-current=${id === current ? "page" : undefined}>${text}</a>`)}</nav>`;
}

/** Why something is as it is: the sentence, what to know beside it, and what to do. */
export function Why({ why, state, run = null, actions = null, label = "Why" }) {
  if (why === null || why === undefined) return null;
  return html`<section class="card why w-b-${cssOf(state)}" aria-label=${label}>
    <p class="sentence" aria-live="polite"><span class="sign w-${cssOf(state)}" aria-hidden="true">${RUN_SIGNS[state] ?? signOf(state)}</span> ${why.sentence}</p>
    ${why.beside.length > 0 && html`<ul>${why.beside.map((line) => html`<li key=${line}>${inZone(line, zone.value, now())}</li>`)}</ul>`}
    ${why.traceback.length > 0 && html`<details><summary>Traceback</summary><pre>${why.traceback.join("\n")}</pre></details>`}
    <div class="row steps">${actions !== null && why.next.do === "do" ? null : stepLink(why.next, run)}${actions}<${Command} text=${why.next.command} /></div>
  </section>`;
}

const STEP_LABELS = { logs: "Logs of", why: "Why", show: "Output", watch: "Watch", servers: "Servers", do: "Invoke", retry: "Retry", doctor: "Doctor" };
function stepLink(step, run) {
  const id = step.run ?? run;
  const link = {
    logs: () => `/runs/${id}/logs${step.task ? `?task=${step.task}` : ""}`,
    why: () => (step.task ? `/runs/${id}/tasks/${step.task}` : `/runs/${id}`),
    servers: () => "/servers",
    do: () => invokePath(step.task, step.params),
    show: () => `/runs/${id}/params`,
    doctor: () => "/doctor",
  }[step.do];
  if (link === undefined) return null;
  return html`<a class="button" href=${link()}>${STEP_LABELS[step.do]}${step.task ? ` ${step.task}` : ""}</a>`;
}

/** Whether a reason offers to retry or to invoke again, beside or as its next step. */
export function hasActions(why) {
  return why.then !== null || why.next.do === "retry";
}

/** Cancel, retry, invoke again: what can be done about a run. */
export function RunActions({ run, runId, from = null, only = null }) {
  const over = run.state === "completed" || run.state === "error";
  const command = () => crypto.randomUUID();
  return html`
    ${run.state === "failing" || (run.state === "error" && !run.cancelled)
      ? html`<${Action} label=${from ? `Retry ${from}` : "Retry"} kind="primary" done="retried: what failed is given a new attempt"
          act=${() => post(`/runs/${runId}/retry`, { command_id: command(), from: from ? [from] : [] })} />` : null}
    ${only === "retry" ? null : !over ? html`<${Action} label="Cancel run" kind="danger" done="cancelled"
      confirm=${{ title: "Cancel this run?", text: "What runs is stopped if it can be; what waits is not run. This cannot be undone.", label: "Cancel run" }}
      act=${() => post(`/runs/${runId}/cancel`, { command_id: command() })} />` : null}
    ${only === "retry" ? null : html`<a class="button" href=${invokePath(run.task, run.params)}>Invoke again</a>`}`;
}

/** A row that leads somewhere: the whole row is the target, the link in it is for keyboards. */
export function rowLink(href) {
  return {
    class: "clickable",
    onClick: (event) => {
      if (event.target.closest("a,button,input,select") || window.getSelection()?.toString()) return;
      if (event.ctrlKey || event.metaKey) window.open(href, "_blank", "noopener");
      else navigate(href);
    },
  };
}
export { address, get, location, post, several };
