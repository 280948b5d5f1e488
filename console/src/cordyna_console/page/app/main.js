// Begins: reads the address, shows its page, and keeps both in step.
import { effect, find, html, render } from "./html.js";
import { get } from "./api.js";
import { installKeys } from "./keys.js";
import { clockOffset, deadLetters, location, me, navigate, readLocation, scheme, second } from "./state.js";
import { forgetColours } from "./draw/palette.js";
import { Lazy } from "./parts/lazy.js";
import { Shell } from "./parts/shell.js";
import { RunsPage } from "./pages/runs.js";
import { Empty } from "./parts/ui.js";

/** Address pattern -> module and name of the page. `:name` is handed to the page. */
const ROUTES = [
  ["/runs/:runId/tasks/:task", "task-run", "TaskRunPage"],
  ["/runs/:runId/:tab", "run", "RunPage"],
  ["/runs/:runId", "run", "RunPage"],
  ["/tasks/:task", "task", "TaskPage"],
  ["/tasks", "tasks", "TasksPage"],
  ["/graph", "graph", "GraphPage"],
  ["/servers/:server", "server", "ServerPage"],
  ["/servers", "servers", "ServersPage"],
  ["/invoke/:task", "invoke", "InvokePage"],
  ["/rehearse", "rehearse", "RehearsePage"],
  ["/crons", "crons", "CronsPage"],
  ["/dead-letters", "dead-letters", "DeadLettersPage"],
  ["/doctor", "doctor", "DoctorPage"],
  ["/events", "events", "EventsPage"],
  ["/compare/:a/:b", "compare", "ComparePage"],
  ["/closed", "closed", "ClosedPage"],
].map(([pattern, module, name]) => ({
  test: new RegExp(`^${pattern.replaceAll(/:[a-zA-Z]+/g, "([^/]+)")}/?$`),
  names: [...pattern.matchAll(/:([a-zA-Z]+)/g)].map((match) => match[1]),
  module: `/app/pages/${module}.js`,
  name,
}));

function Page() {
  const { path } = location.value;
  if (path === "/" || path === "/runs" || path === "/runs/") return html`<${RunsPage} />`;
  for (const route of ROUTES) {
    const match = route.test.exec(path);
    if (match === null) continue;
    const props = Object.fromEntries(route.names.map((name, at) => [name, decodeURIComponent(match[at + 1])]));
    return html`<${Lazy} key=${route.name} module=${route.module} name=${route.name} ...${props} />`;
  }
  return html`<${Empty} as="h1" title="There is no such page."><p>${path}</p><a class="inline" href="/runs">Runs</a><//>`;
}

document.addEventListener("click", (event) => {
  const link = /** @type {HTMLElement} */ (event.target).closest?.("a[href]");
  if (link === null || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const url = new URL(/** @type {HTMLAnchorElement} */ (link).href);
  if (url.origin !== window.location.origin || link.getAttribute("target") || link.hasAttribute("download") || url.pathname.startsWith("/api/")) return;
  event.preventDefault();
  if (url.hash && url.pathname === window.location.pathname) {
    find(url.hash)?.focus();
    return;
  }
  const samePage = url.pathname === window.location.pathname;
  navigate(url.pathname + url.search);
  if (!samePage) { find("main")?.focus({ preventScroll: true }); window.scrollTo(0, 0); }
});
window.addEventListener("popstate", readLocation);
document.addEventListener("visibilitychange", () => { if (!document.hidden) second.value = Date.now(); });
setInterval(() => { if (!document.hidden) second.value = Date.now(); }, 1000);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { forgetColours(); second.value = Date.now(); });

effect(() => {
  if (scheme.value === "system") delete document.documentElement.dataset.scheme;
  else document.documentElement.dataset.scheme = scheme.value;
  forgetColours();
});

async function begin() {
  try {
    const asked = Date.now();
    me.value = await get("/me");
    clockOffset.value = Date.parse(me.value.cerebro.now) - (asked + Date.now()) / 2;
  } catch {
    // `trouble` says it above the page; the page shows itself, and asks again.
  }
}
async function lookAtDeadLetters() {
  if (document.hidden || me.value === null) return;
  try {
    deadLetters.value = (await get("/dead-letters")).rows.reduce((sum, queue) => sum + queue.messages, 0);
  } catch {
    deadLetters.value = 0; // who may not operate is not told
  }
}

readLocation();
installKeys();
const root = document.getElementById("app");
root.replaceChildren();
render(html`<${Shell}><${Page} /><//>`, root);
begin().then(lookAtDeadLetters);
setInterval(lookAtDeadLetters, 15_000);
setInterval(() => { if (me.value === null) begin(); }, 3_000);
