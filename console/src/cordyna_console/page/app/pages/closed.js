// The address that opened the console was used before, or is too old.
import { html } from "../html.js";
import { Command, Empty } from "../parts/ui.js";

export function ClosedPage() {
  return html`<section class="card"><${Empty} as="h1" title="This address does not open the console any more."><p>It works once, within a minute. A new one is printed by:</p><${Command} text="dyna open" /><//></section>`;
}
