// What the run was given, and what its target answered.
import { html } from "../html.js";
import { JsonCard } from "../parts/json.js";
import { Command, ProblemBox, useFetch } from "../parts/ui.js";

export function RunTab({ runId, head, version }) {
  const state = `${head.state}`;
  const { data, problem, reload } = useFetch(`/runs/${runId}/tasks/${encodeURIComponent(head.task)}`, {});
  void version;
  void state;
  return html`<div class="halves">
    <${JsonCard} title="Params" value=${Object.keys(head.params).length > 0 ? head.params : null} empty="None: every task uses its defaults." />
    <div class="stack"><${ProblemBox} problem=${problem} retry=${reload} />
    <${JsonCard} title=${`Output of ${head.task}`} value=${data?.output ?? null} empty=${head.state === "completed" ? "It answered nothing." : "It has no output until it completes."} /></div>
  </div><div class="row"><${Command} text=${`dyna show ${runId} --json`} /><a class="button" href=${`/runs?task=${encodeURIComponent(head.task)}`}>Other runs of ${head.task}</a></div>`;
}
