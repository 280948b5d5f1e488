"""Wording: what a person is shown of a run, as plain text and data, for every face of cordyna.

Invariant: everything here is pure. It imports the contract only, reads no clock (`now` is an
argument) and knows no terminal: `cordyna_cli.render` turns it into coloured lines, the console into
JSON.

The public API, by module:

- `why`: `why_run(view, now)` and `why_task(view, task, now)` -> `Why`: one sentence, details,
  `next_step`, `retry_step` (what to do once the cause is fixed), traceback.
- `outcome`: `run_outcome(view, now)` -> `RunOutcome`: verb, duration, root causes, blocked tasks,
  next steps.
- `progress`: `run_progress(view, now)` -> `RunProgress`: done, total, a count for each mark,
  elapsed seconds.
- `next_steps`: `NextStep(do=..., run=..., task=..., purpose=...)`; `as_json()` for buttons,
  `command` for a shell.
- `status_marks`: `mark_of(task)`, `run_mark(run)` -> `cordyna_core.contract.reasons.Mark(sign,
  style, word, urgency)`; `TASK_MARKS`, `RUN_MARKS`,
  `CANCELLED_RUN_MARK`, `URGENCY`.
- `task_notes`: `task_note(task, tasks, now)`: the few words behind a task's line.
- `phases`: `phases_of`, `attempt_duration`, `attempt_started_at`, `run_started_at`, `run_ended_at`,
  `timeline_in_order`.
- `format`: `duration`, `ago`, `moment`, `time_of_day`, `seconds_between`, `plural`, `join_names`,
  `error_line`, `compact_json`.
- `driver`: `driver_sentence(driver, now)`, `is_driven(driver)`: which process drives a home.
- `foreign_text`: `printable`, `one_line`, `UNPRINTABLE`: what others wrote, safe for a terminal.
"""
