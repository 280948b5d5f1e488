// Colours of the canvas, read from the style sheet, so that both schemes are written once.
import { cssOf, WORDS } from "../words.js";

let known = null;
export function colours() {
  if (known !== null) return known;
  const style = getComputedStyle(document.documentElement);
  const probe = document.createElement("span");
  document.body.append(probe);
  // `light-dark()` is resolved only where a colour is used.
  const of = (name) => {
    probe.style.color = style.getPropertyValue(`--${name}`);
    return getComputedStyle(probe).color;
  };
  const names = ["card", "back", "sunk", "line", "line-strong", "text", "soft", "accent", "select-back", "error"];
  known = Object.fromEntries(names.map((name) => [name, of(name)]));
  known.word = Object.fromEntries(WORDS.map((word) => [word, of(cssOf(word) === "retry-wait" ? "retry" : cssOf(word))]));
  known.word.declared = of("line-strong");
  known.word.unresolved = of("error");
  known.font = style.getPropertyValue("--font");
  probe.remove();
  return known;
}
export function forgetColours() {
  known = null;
}
