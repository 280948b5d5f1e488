// The local worker protocol: one JSON object a line, commands in, states out.
import { createInterface } from "node:readline";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Attempt {
  readonly runId: string;
  readonly number: number;
  readonly params: Record<string, Json>;
  readonly upstream: Record<string, Json>;
  /** Aborted when the run is cancelled. */
  readonly signal: AbortSignal;
  /** Report how far the body is: a fraction from 0 to 1, and a few words. */
  progress(fraction: number, message?: string): void;
}

export interface Task {
  upstream?: string[];
  owner?: string;
  retries?: number;
  params_schema?: Json;
  body: (attempt: Attempt) => Json | Promise<Json>;
}

interface RunTask {
  run_id: string;
  task: string;
  attempt: number;
  params?: Record<string, Json>;
  upstream?: Record<string, Json>;
}

function send(type: string, detail: object): void {
  process.stdout.write(`${JSON.stringify({ "detail-type": type, detail })}\n`);
}

/** Declare the tasks, and run them until standard input ends. */
export function serve(server: string, tasks: Record<string, Task>): void {
  const declared = Object.entries(tasks).map(([name, { body: _, ...options }]) => ({ name, ...options }));
  send("ServerDeclared", { server, contract: "1", revision: 0, tasks: declared });
  let running: AbortController | undefined;
  createInterface({ input: process.stdin }).on("line", (line) => {
    const frame = JSON.parse(line) as { "detail-type": string; detail: RunTask };
    if (frame["detail-type"] === "CancelTask") running?.abort();
    if (frame["detail-type"] !== "RunTask") return;
    running = new AbortController();
    void run(tasks, frame.detail, running.signal);
  });
}

async function run(tasks: Record<string, Task>, command: RunTask, signal: AbortSignal): Promise<void> {
  const place = { run_id: command.run_id, task: command.task, attempt: command.attempt };
  try {
    const task = tasks[command.task];
    if (task === undefined) throw new Error(`there is no task ${command.task}`);
    const output = await task.body({
      runId: command.run_id,
      number: command.attempt,
      params: command.params ?? {},
      upstream: command.upstream ?? {},
      signal,
      progress: (progress, message) => send("TaskStateChanged", { ...place, state: "started", progress, message }),
    });
    send("TaskStateChanged", { ...place, state: "completed", output });
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    const { name: type, message, stack: traceback } = error;
    send("TaskStateChanged", { ...place, state: "error", reason: "failed", error: { type, message, traceback, retryable: true } });
  }
}
