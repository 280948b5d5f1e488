// Who told whom what in this run.
import { html } from "../html.js";
import { EventTable } from "./events.js";

export function RunTab({ runId, task, version }) {
  return html`<${EventTable} path=${`/runs/${runId}/events`} task=${task} version=${version} command=${`dyna events ${runId}`} />`;
}
