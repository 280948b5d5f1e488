// The frame around every page: navigation, zone, scheme, connection, messages, dialogs.
import { html, useEffect, useRef, useState } from "../html.js";
import { zoneName } from "../clock.js";
import {
  deadLetters, dismiss, keep, LOCAL_ZONE, location, me, openIncidents, overlay, scheme, toasts, trouble, zoneChoice,
} from "../state.js";
import { Command, Moment, ProblemBox } from "./ui.js";

const PAGES = [
  ["/runs", "Runs"], ["/tasks", "Tasks"], ["/graph", "Graph"], ["/servers", "Servers"], ["/incidents", "Incidents"],
  ["/crons", "Crons"], ["/dead-letters", "Dead letters"], ["/doctor", "Doctor"], ["/events", "Bus"],
];

const BADGES = { "/incidents": () => openIncidents.value.length, "/dead-letters": () => deadLetters.value };

export function Shell({ children }) {
  const { path } = location.value;
  const isHere = (href) => path === href || path.startsWith(`${href}/`) || (href === "/runs" && (path === "/" || path.startsWith("/compare")));
  return html`<div class=${trouble.value ? "stale" : ""}>
    <a class="skip" href="#main">Skip to the page</a>
    <header class="top">
      <a class="brand" href="/runs" aria-label="cordyna, the runs"><img src="/icon.svg" alt="" /><span class="wide">cordyna</span></a>
      <nav aria-label="Pages">${PAGES.map(([href, text]) => html`<a key=${href} href=${href} aria-current=${isHere(href) ? "page" : undefined}>${text}${(BADGES[href]?.() ?? 0) > 0 ? html` <span class="count">${BADGES[href]()}</span>` : null}</a>`)}</nav>
      <button class="plain" onClick=${() => { overlay.value = { kind: "palette" }; }} title="Go to a run, a task, a server (Ctrl-K)"><span>Search</span> <kbd class="wide">Ctrl K</kbd></button>
      <select aria-label="Time zone" value=${zoneChoice.value} onChange=${(event) => { zoneChoice.value = event.target.value; keep("zone", event.target.value); }}>
        <option value="local">${zoneName(LOCAL_ZONE)}${LOCAL_ZONE === "UTC" ? " (mine)" : ""}</option>
        <option value="utc">UTC</option>
        ${OTHER_ZONES.map((zone) => html`<option key=${zone} value=${zone}>${zoneName(zone)}</option>`)}
      </select>
      <select aria-label="Colours" value=${scheme.value} onChange=${(event) => { scheme.value = event.target.value; keep("scheme", event.target.value); }}>
        <option value="system">System colours</option><option value="light">Light</option><option value="dark">Dark</option>
      </select>
    </header>
    <${Trouble} />
    <${Driver} />
    <main id="main" tabindex="-1">${children}</main>
    <footer class="foot">${me.value && html`<span>${me.value.engine === "embedded" ? "embedded engine, home" : "cerebro"} <code>${me.value.where}</code></span>
      <span>as ${me.value.by}</span><span>cordyna ${me.value.version}</span>`}<span>Keys: <kbd>?</kbd></span></footer>
    <${Toasts} />
    <${Overlay} />
  </div>`;
}

const OTHER_ZONES = ["Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Tokyo", "Australia/Sydney"]
  .filter((zone) => zone !== LOCAL_ZONE);

function Trouble() {
  if (trouble.value === null) return null;
  const { since, problem } = trouble.value;
  return html`<div class="strip" role="alert"><strong>${problem.what}</strong>
    <span>What is shown is the state of <${Moment} at=${since} />: ${problem.why}.</span>
    <${Command} text=${problem.status === 401 ? "dyna open" : problem.next} /></div>`;
}

/** A home that no process drives: what is started waits, and nothing on the page would say why. */
function Driver() {
  const driver = me.value?.driver ?? null;
  if (driver === null || driver.drives || trouble.value !== null) return null;
  return html`<div class="strip" role="status"><strong>Nothing runs here now.</strong><span>${driver.sentence[0].toUpperCase()}${driver.sentence.slice(1)}.</span><${Command} text=${driver.next} /></div>`;
}

function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">${toasts.value.map((one) => html`<div key=${one.id} class="card ${one.kind === "error" ? "problem" : ""}">
    <span class="grow">${one.text}</span>${one.link && html`<a class="inline" href=${one.link.href}>${one.link.text}</a>`}
    <button class="plain" aria-label="Dismiss" onClick=${() => dismiss(one.id)}>×</button></div>`)}</div>`;
}

function Overlay() {
  const shown = overlay.value;
  const box = useRef(null);
  const before = useRef(null);
  useEffect(() => {
    if (shown === null) {
      before.current?.focus?.();
      before.current = null;
      return undefined;
    }
    before.current ??= document.activeElement;
    const focusable = box.current?.querySelector("[data-first], input, button");
    focusable?.focus();
    return undefined;
  }, [shown]);
  if (shown === null) return null;
  const close = () => { overlay.value = null; };
  const keys = (event) => {
    if (event.key === "Escape") { event.stopPropagation(); close(); }
    if (event.key === "Tab") trap(event, box.current);
  };
  if (shown.kind === "palette") return html`<div class="palette-back" onKeyDown=${keys} onClick=${(event) => { if (event.target === event.currentTarget) close(); }}>
    <div class="palette" role="dialog" aria-modal="true" aria-label="Search" ref=${box}><${Lazy} module="/app/palette.js" name="Palette" close=${close} /></div></div>`;
  return html`<div class="dialog-back" onKeyDown=${keys}><div class="dialog" role="dialog" aria-modal="true" aria-label=${shown.title ?? "Message"} ref=${box}>
    ${shown.kind === "confirm" && html`<${Confirm} shown=${shown} close=${close} />`}
    ${shown.kind === "problem" && html`<${ProblemBox} problem=${shown.problem} /><div class="row"><button data-first onClick=${close}>Close</button></div>`}
    ${shown.kind === "keys" && html`<h2>Keys</h2><dl>${KEYS.map(([keys, text]) => html`<dt key=${keys}>${keys.split(" ").map((key) => html`<kbd key=${key}>${key}</kbd> `)}</dt><dd>${text}</dd>`)}</dl>
      <div class="row"><button data-first onClick=${close}>Close</button></div>`}
  </div></div>`;
}

/** A question before what cannot be undone; with `typed`, the answer is a name that is written once more. */
function Confirm({ shown, close }) {
  const [text, setText] = useState("");
  const ready = shown.typed === null || text === shown.typed;
  const go = (event) => { event.preventDefault(); if (ready) { close(); shown.go(); } };
  return html`<form class="stack" onSubmit=${go}><h2>${shown.title}</h2><p>${shown.text}</p>
    ${shown.typed !== null && html`<label class="stack">Type ${shown.typed} to confirm<input data-first autocomplete="off" spellcheck="false" value=${text} onInput=${(event) => setText(event.target.value)} /></label>`}
    <div class="row"><button type="button" data-first=${shown.typed === null} onClick=${close}>No, leave it</button><button type="submit" class="danger" aria-disabled=${!ready}>${shown.label}</button></div></form>`;
}

export const KEYS = [
  ["Ctrl K", "search runs, tasks, servers and pages"], ["/", "search on this page"], ["g r", "runs"], ["g t", "tasks"],
  ["g g", "graph"], ["g s", "servers"], ["g c", "crons"], ["g i", "incidents"], ["g d", "dead letters"], ["j k", "next and previous row"],
  ["Enter", "open the row"], [".", "what can be done about this run"], ["f", "fit the graph, or focus the selected task"], ["+ -", "near and far"],
  ["← → ↑ ↓", "walk along the graph"], ["w", "copy the dyna command of this page"], ["?", "this list"], ["Esc", "close"],
];

function trap(event, box) {
  const all = [...box.querySelectorAll("a[href],button,input,select,textarea")];
  if (all.length === 0) return;
  const edge = event.shiftKey ? all[0] : all.at(-1);
  if (document.activeElement === edge) {
    event.preventDefault();
    (event.shiftKey ? all.at(-1) : all[0]).focus();
  }
}

import { Lazy } from "./lazy.js";
