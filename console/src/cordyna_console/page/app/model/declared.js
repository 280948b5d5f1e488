// What a task declares beside its upstream and its cron, as titles and texts. Pure.
import { span } from "../clock.js";

/** Rows of [title, text]; what is as usual for all tasks is left out, but retries and clocks. */
export function declaredRows(task) {
  return [
    ["Due", task.due],
    ["Retries", retries(task)],
    ["Clocks", `acknowledge ${span(task.ack_timeout_s)}, start ${span(task.start_timeout_s)}, run ${span(task.run_timeout_s)}`],
    ["May depend on it", servers(task.consumers)],
    ["May invoke it", servers(task.invokers)],
    ["Deprecated", task.deprecated && `${task.until ? `until ${task.until}: ` : ""}${task.deprecated}`],
  ].filter(([, text]) => text);
}

function retries({ retries: count, retry_delay_s: delay, retry_backoff: backoff, retry_max_delay_s: longest }) {
  if (count === 0) return "none";
  return `${count}, after ${span(delay)}${count > 1 && backoff !== 1 ? `, times ${backoff} up to ${span(longest)}` : ""}`;
}

function servers(names) {
  if (names === null) return null;
  return names.length === 0 ? "its own server only" : names.join(", ");
}
