// A JSON value as a tree that folds. Everything in it is text.
import { html } from "../html.js";
import { several } from "../words.js";

const SHOWN = 100;

export function Json({ value, name = null, open = true, depth = 0 }) {
  const key = name === null ? null : html`<span class="key">${name}: </span>`;
  if (typeof value !== "object" || value === null) {
    const kind = typeof value === "string" ? "string" : typeof value === "number" ? "number" : "other";
    return html`<div class="leaf">${key}<span class=${kind}>${JSON.stringify(value) ?? "nothing"}</span></div>`;
  }
  const entries = Array.isArray(value) ? value.map((one, at) => [at, one]) : Object.entries(value);
  const brackets = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) return html`<div class="leaf">${key}${brackets.join("")}</div>`;
  return html`<details open=${open && depth < 3}><summary>${key}${brackets[0]} <span class="key">${several(entries.length, Array.isArray(value) ? "item" : "field")}</span></summary>
    ${entries.slice(0, SHOWN).map(([one, inner]) => html`<${Json} key=${one} name=${String(one)} value=${inner} depth=${depth + 1} />`)}
    ${entries.length > SHOWN && html`<div class="leaf key">… ${entries.length - SHOWN} more: copy the whole to see them</div>`}
    ${brackets[1]}</details>`;
}

export function JsonCard({ title, value, empty }) {
  const copy = () => navigator.clipboard?.writeText(JSON.stringify(value, null, 2));
  return html`<section class="card"><div class="row apart"><h2>${title}</h2>${value !== null && value !== undefined && html`<button class="plain" onClick=${copy}>Copy</button>`}</div>
    ${value === null || value === undefined ? html`<p class="soft">${empty}</p>` : html`<div class="json"><${Json} value=${value} /></div>`}</section>`;
}
