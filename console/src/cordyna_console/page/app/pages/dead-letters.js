// What could not be handled: the reason first, one letter at a time, put back one by one or all.
import { html } from "../html.js";
import { post } from "../api.js";
import { deadLetters } from "../state.js";
import { Action, Command, Empty, Loading, Moment, ProblemBox, several, useFetch, useRefresh, useTitle } from "../parts/ui.js";
import { Json } from "../parts/json.js";

export function DeadLettersPage() {
  useTitle("Dead letters");
  const { data, problem, reload } = useFetch("/dead-letters");
  useRefresh(reload, 5_000);
  if (data === null) return problem ? html`<${ProblemBox} problem=${problem} retry=${reload} as="h1" />` : html`<${Loading} what="Dead letters" />`;
  deadLetters.value = data.rows.reduce((sum, queue) => sum + queue.messages, 0);
  return html`<div class="row apart"><h1>Dead letters</h1><${Command} text="dyna dlq ls" /></div>
    ${data.rows.length === 0 && html`<section class="card"><${Empty} title="None."><p>Every message was handled.</p><//></section>`}
    ${data.rows.map((queue) => html`<section key=${queue.name} class="card stack"><div class="row apart"><h2>${queue.name}: ${several(queue.messages, "message")}</h2>
      ${queue.back_to ? html`<${Action} label="Redrive all" right="operate" done=${(answer) => `${several(answer.moved, "message")} put back into ${queue.back_to}`} confirm=${{ title: `Put ${several(queue.messages, "message")} back?`, text: `They go back into ${queue.back_to} and are handled again. What is still wrong with them comes back here.`, label: "Redrive all" }} act=${async () => { const answer = await post(`/dead-letters/${queue.name}/redrive`, { ids: [] }); reload(); return answer; }} />` : html`<span class="soft">nothing consumes a queue that these could be put back into</span>`}
      <${Action} label="Purge" kind="danger" right="operate" done=${(answer) => `${several(answer.moved, "message")} deleted`} confirm=${{ title: `Delete ${several(queue.messages, "message")}?`, text: "They are not handled, and cannot be brought back.", label: "Purge", typed: queue.name }} act=${async () => { const answer = await post(`/dead-letters/${encodeURIComponent(queue.name)}/purge`, { confirm: queue.name }); reload(); return answer; }} /></div>
      ${queue.letters.map((letter) => html`<div key=${letter.id} class="card"><div class="row apart"><strong>${letter.reason}</strong>${queue.back_to && letter.id && html`<${Action} label="Redrive" right="operate" done="put back" act=${async () => { await post(`/dead-letters/${queue.name}/redrive`, { ids: [letter.id] }); reload(); }} />`}</div>
        <p class="soft">${[letter.kind, letter.subject].filter(Boolean).join(" ")} ${letter.at && html`<${Moment} at=${letter.at} />`}</p><details><summary>The message</summary><${Letter} text=${letter.text} /></details></div>`)}
      ${queue.messages > queue.letters.length && html`<p class="soft">${queue.letters.length} of ${queue.messages} are shown.</p>`}</section>`)}`;
}

function Letter({ text }) {
  try {
    return html`<div class="json"><${Json} value=${JSON.parse(text)} /></div>`;
  } catch {
    return html`<pre>${text}</pre>`;
  }
}
