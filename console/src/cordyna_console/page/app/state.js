// State that all pages share: the address, who one is, zone and scheme, connection, messages.
import { computed, signal } from "./html.js";

const stored = (name, fallback) => {
  try {
    return localStorage.getItem(`cordyna.${name}`) ?? fallback;
  } catch {
    return fallback; // storage is switched off: the choice lasts as long as the page
  }
};
export function keep(name, value) {
  try {
    localStorage.setItem(`cordyna.${name}`, value);
  } catch {
    // as above
  }
}
export const recall = stored;

export const LOCAL_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
export const zoneChoice = signal(stored("zone", "local"));
export const zone = computed(() =>
  zoneChoice.value === "local" ? LOCAL_ZONE : zoneChoice.value === "utc" ? "UTC" : zoneChoice.value);
export const scheme = signal(stored("scheme", "system"));
export const me = signal(null);
/** Milliseconds that cerebro's clock is ahead of this one. */
export const clockOffset = signal(0);
export const now = () => Date.now() + clockOffset.value;
/** Ticks once a second while the page is visible, so that "12 s ago" moves. */
export const second = signal(Date.now());
/** null: the console answers; else since when it does not, and why. */
export const trouble = signal(null);
export const deadLetters = signal(0);
/** Incidents that are open and not snoozed, the newest first. */
export const openIncidents = signal([]);
export const toasts = signal([]);
export const overlay = signal(null);
export const location = signal({ path: "/", query: new URLSearchParams() });

/** Account, region and bus. A task may have a parameter of that name: its values do not look so. */
const PLACE = /^\d{12}\.[a-z0-9-]+\..+$/;
export const isPlace = (text) => PLACE.test(text ?? "");
/** Whether an address names another cerebro than this console's; null while that is not known. */
export const isElsewhere = computed(() => {
  const where = location.value.query.get("where");
  if (!isPlace(where)) return false;
  return me.value === null ? null : where !== me.value.place;
});
/** An address of a cerebro on AWS names it, so that a link opens nothing in a console of another one. */
function placed(href) {
  const place = me.value?.place ?? null;
  const url = new URL(href, window.location.origin);
  if (place === null || url.searchParams.has("where")) return href;
  url.searchParams.set("where", place);
  return url.pathname + url.search + url.hash;
}
/** Name the cerebro in the address that is shown. */
export function placeLocation() {
  const { pathname, search, hash } = window.location;
  const href = placed(pathname + search + hash);
  if (href === pathname + search + hash) return;
  history.replaceState(null, "", href);
  readLocation();
}

export function readLocation() {
  location.value = { path: window.location.pathname, query: new URLSearchParams(window.location.search) };
}
export function navigate(to, { replace = false } = {}) {
  const href = placed(to);
  if (href === window.location.pathname + window.location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", href);
  readLocation();
}
/** The same page with some query words changed; empty ones are left out. */
export function withQuery(changes, path = location.value.path) {
  const query = new URLSearchParams(location.value.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}
export function setQuery(changes, options) {
  navigate(withQuery(changes), options);
}

let toastNumber = 0;
export function toast(text, kind = "info", link = null) {
  const entry = { id: ++toastNumber, text, kind, link };
  toasts.value = [...toasts.value, entry].slice(-4);
  if (kind !== "error") setTimeout(() => dismiss(entry.id), 6000);
}
export function dismiss(id) {
  toasts.value = toasts.value.filter((entry) => entry.id !== id);
}
