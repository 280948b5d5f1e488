// Keys of the whole page. A key that is pressed in a field belongs to the field.
import { find } from "./html.js";
import { navigate, overlay, toast } from "./state.js";

const GO = { r: "/runs", t: "/tasks", g: "/graph", s: "/servers", c: "/crons", i: "/incidents", d: "/dead-letters", o: "/doctor", b: "/events" };
let prefix = 0;

export function installKeys() {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      overlay.value = overlay.value?.kind === "palette" ? null : { kind: "palette" };
      return;
    }
    if (event.key === "Escape" && overlay.value !== null) {
      overlay.value = null;
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || overlay.value !== null) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest?.("input,textarea,select,[contenteditable]")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (Date.now() - prefix < 1200 && GO[event.key] !== undefined) {
      prefix = 0;
      event.preventDefault();
      navigate(GO[event.key]);
      return;
    }
    const act = KEYS[event.key];
    if (act !== undefined && act(event) !== false) event.preventDefault();
  });
}

const KEYS = {
  g: () => { prefix = Date.now(); },
  "?": () => { overlay.value = { kind: "keys" }; },
  "/": () => {
    const field = find("main input[type=search]");
    if (field === null) overlay.value = { kind: "palette" };
    else field.focus();
  },
  j: () => step(1),
  k: () => step(-1),
  ".": () => /** @type {HTMLElement | null} */ (document.querySelector("main .steps a, main .steps button"))?.focus(),
  f: () => find("[data-key=f]")?.click(),
  w: async () => {
    const command = document.querySelector("main .command")?.textContent;
    if (!command) return;
    try {
      await navigator.clipboard.writeText(command);
      toast(`copied: ${command}`);
    } catch {
      toast(command);
    }
  },
};

/** Move the focus between the links that begin rows. */
function step(by) {
  const links = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("main tbody tr a:first-of-type")]);
  const rows = links.filter((link, at, all) =>
    all.findIndex((other) => other.closest("tr") === link.closest("tr")) === at);
  if (rows.length === 0) return false;
  const at = rows.findIndex((link) => link.closest("tr").contains(document.activeElement));
  rows[Math.min(Math.max(at + by, 0), rows.length - 1)].focus();
  return true;
}
