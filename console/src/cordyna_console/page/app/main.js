// Begins: reads the address, shows its page, and keeps both in step.
import { effect, find, html, render } from "./html.js";
import { get } from "./api.js";
import { installKeys } from "./keys.js";
import {
  clockOffset, deadLetters, isElsewhere, location, me, navigate, openIncidents, placeLocation, readLocation, scheme, second, withQuery,
} from "./state.js";
import { forgetColours } from "./draw/palette.js";
import { Lazy } from "./parts/lazy.js";
import { Shell } from "./parts/shell.js";
import { RunsPage } from "./pages/runs.js";
import { Command, Empty, Loading } from "./parts/ui.js";

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
  ["/incidents/:incident", "incidents", "IncidentPage"],
  ["/incidents", "incidents", "IncidentsPage"],
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
  // What is asked for before it is known would be "not found" for a run that is there, elsewhere.
  if (isElsewhere.value === null) return html`<${Loading} what="Console" />`;
  if (isElsewhere.value) return html`<${Elsewhere} />`;
  if (path === "/" || path === "/runs" || path === "/runs/") return html`<${RunsPage} />`;
  for (const route of ROUTES) {
    const match = route.test.exec(path);
    if (match === null) continue;
    const props = Object.fromEntries(route.names.map((name, at) => [name, decodeURIComponent(match[at + 1])]));
    return html`<${Lazy} key=${route.name} module=${route.module} name=${route.name} ...${props} />`;
  }
  return html`<${Empty} as="h1" title="There is no such page."><p>${path}</p><a class="inline" href="/runs">Runs</a><//>`;
}

/** A link to the console of another account, region or bus. */
function Elsewhere() {
  const where = location.value.query.get("where") ?? "";
  const [account, region, ...bus] = where.split(".");
  return html`<${Empty} as="h1" title="This link leads to another cerebro.">
    <p>It is of the bus <code>${bus.join(".") || where}</code>${region && html` in ${region}, account ${account}`}; this console shows ${me.value.where}.</p>
    <p>Open a console with a profile of that account and region, and follow the link there.</p>
    <${Command} text=${`dyna --profile PROFILE --region ${region || "REGION"} ui`} as=${"dyna"} /><a class="inline" href=${withQuery({ where: null })}>Look for it in this console all the same</a><//>`;
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

const ME_MS = 5_000;
const ME_SELDOM = 12;
const LOOKS_MS = 15_000;
const LOOKS_SELDOM = 20;

async function begin() {
  try {
    const asked = Date.now();
    const found = await get("/me");
    clockOffset.value = Date.parse(found.cerebro.now) - (asked + Date.now()) / 2;
    // The clock is new each time; what is shown changes only with the rest.
    if (me.value === null || different(me.value, found)) me.value = found;
    placeLocation();
  } catch {
    // `trouble` says it above the page; the page shows itself, and asks again.
  }
}
function different(before, now) {
  const rest = ({ cerebro, ...others }) => JSON.stringify([others, cerebro.version, cerebro.generation]);
  return rest(before) !== rest(now);
}
let looks = 0;
/** How much needs a person: counted above every page. */
async function lookAround() {
  if (document.hidden || me.value === null) return;
  // In a cloud, each look asks every queue.
  if (me.value.engine !== "embedded" && looks++ % LOOKS_SELDOM !== 0) return;
  try {
    openIncidents.value = (await get("/incidents")).rows.filter((row) => !row.snoozed_until);
  } catch {
    openIncidents.value = []; // the page of incidents says why
  }
  if (me.value.can.operate === "no") return;
  try {
    deadLetters.value = (await get("/dead-letters")).rows.reduce((sum, queue) => sum + queue.messages, 0);
  } catch {
    deadLetters.value = 0; // who may not operate is not told
  }
}

const root = document.getElementById("app");
function show() {
  readLocation();
  installKeys();
  root.replaceChildren();
  render(html`<${Shell}><${Page} /><//>`, root);
  setInterval(lookAround, LOOKS_MS);
  let asked = 0;
  // In a cloud, each look is a call of a function.
  const isDue = () => me.value === null || me.value.engine === "embedded" || asked++ % ME_SELDOM === 0;
  setInterval(() => { if (!document.hidden && isDue()) begin(); }, ME_MS);
}

/** A hosted console says in its first file where people sign in. */
async function beginSignedIn(setting) {
  const { signIn } = await import("./sign-in.js");
  const path = await signIn(JSON.parse(setting));
  if (path === null) return; // the browser leaves for the identity provider
  history.replaceState(null, "", path);
  await begin();
  show();
}

const setting = /** @type {HTMLMetaElement | null} */ (document.querySelector("meta[name=cordyna-sign-in]"))?.content;
if (setting === undefined) {
  show();
  begin().then(lookAround);
} else {
  beginSignedIn(setting).catch((failure) => {
    const again = html`<a class="button" href="/">Sign in again</a>`;
    render(html`<main><section class="card problem" role="alert"><h1>You are not signed in.</h1><p>${failure.message}</p>${again}</section></main>`, root);
  });
}
