"""Why: a sentence for each reason, with details and what to type next."""

import pytest

from cli.run_builders import RUN, a_run, a_task, at, completed_run, failed_run
from cordyna_cli.render.run.why import why_lines, why_task_lines
from cordyna_cli.wording.next_steps import NextStep
from cordyna_cli.wording.why import why_run, why_task
from cordyna_core.contract.base import ErrorDescription, RootCause
from cordyna_core.contract.views.runs import RunView, TaskView

NOW = at(10)

REASONS: dict[str, tuple[TaskView, str, str]] = {
    "waiting": (a_task("t", "up"), "up on server-a: started since 9.0 s", f"dyna why {RUN} up"),
    "blocked": (
        a_task("t", "up", blocked_by="up"),
        "up on server-a: started since 9.0 s",
        f"dyna why {RUN} up",
    ),
    "dispatched": (
        a_task("t", "", "dispatched@8", deadline=at(18)),
        "without an answer it ends in error (ack_timeout) at 03:04:23Z (in 8.0 s)",
        "dyna servers",
    ),
    "retry_wait": (
        a_task("t", "", "dispatched@0 retry_wait@8", deadline=at(12)),
        "the next attempt is sent at 03:04:17Z (in 2.0 s)",
        f"dyna logs {RUN} t",
    ),
    "queued": (
        a_task("t", "", "dispatched@0 queued@1"),
        "since 03:04:06Z (9.0 s ago)",
        f"dyna watch {RUN}",
    ),
    "started": (
        a_task("t", "", "dispatched@0 started@1"),
        "since 03:04:06Z (9.0 s ago)",
        f"dyna watch {RUN}",
    ),
    "completed": (
        a_task("t", "", "dispatched@0 completed@1"),
        "at 03:04:06Z, 1.0 s after the attempt began",
        f"dyna show {RUN}",
    ),
    "reused": (a_task("t", "", "completed:reused@1"), "", "dyna do t   (runs it anew)"),
    "failed": (
        a_task("t", "", "dispatched@0 error:failed@1", owner="team-a"),
        "owner: team-a",
        f"dyna logs {RUN} t",
    ),
    "failed_terminal": (
        a_task("t", "", "dispatched@0 error:failed_terminal@1"),
        "at 03:04:06Z, 1.0 s after the attempt began",
        f"dyna logs {RUN} t",
    ),
    "ack_timeout": (
        a_task("t", "", "dispatched@0 error:ack_timeout@10"),
        "at 03:04:15Z, 10.0 s after the attempt began",
        "dyna servers",
    ),
    "start_timeout": (
        a_task("t", "", "queued@0 error:start_timeout@10"),
        "at 03:04:15Z, 10.0 s after the attempt began",
        "dyna servers",
    ),
    "run_timeout": (
        a_task("t", "", "started@0 error:run_timeout@10"),
        "at 03:04:15Z, 10.0 s after the attempt began",
        f"dyna logs {RUN} t",
    ),
    "cancelled": (
        a_task("t", "", "started@0 error:cancelled@10"),
        "at 03:04:15Z, 10.0 s after the attempt began",
        "dyna do end",
    ),
    "cancelled while it waited": (
        a_task("t", "", "started@0 error:failed@1 retry_wait@1 error:cancelled@9"),
        "at 03:04:14Z, 9.0 s after the attempt began",
        "dyna do end",
    ),
    "refused": (
        a_task("t", "", "dispatched@0 error:refused@1"),
        "at 03:04:06Z, 1.0 s after the attempt began",
        f"dyna logs {RUN} t",
    ),
    "something new": (
        a_task("t", "", "dispatched@0 error:unheard_of@1"),
        "at 03:04:06Z, 1.0 s after the attempt began",
        f"dyna logs {RUN} t",
    ),
}

FIXABLE = {
    "something new",
    "failed",
    "failed_terminal",
    "ack_timeout",
    "start_timeout",
    "run_timeout",
    "refused",
}


@pytest.mark.parametrize("reason", REASONS)
def test_why_of_each_reason_has_details_and_next_step(reason: str) -> None:
    task, beside, todo = REASONS[reason]
    view = a_run(a_task("up", "", "dispatched@0 started@1"), task, a_task("end", "t"))

    found = why_task(view, task, NOW)

    assert (found.next_step.command_and_purpose, found.retry_step) == (
        todo,
        NextStep(do="retry", run=RUN) if reason in FIXABLE else None,
    )
    assert not beside or beside in found.details


def test_why_uses_the_sentence_of_cerebro() -> None:
    task = a_task(
        "t",
        "",
        "dispatched@0 error:failed@1",
        why="t on server-a failed (attempt 1):\n ValueError: bad row 7.",
    )

    assert (
        why_task(a_run(task), task, NOW).sentence
        == "t on server-a failed (attempt 1): ValueError: bad row 7."
    )


def test_why_of_blocked_task_names_owner_of_its_cause() -> None:
    """Its own owner can do nothing about it."""
    failed = a_task("up", "", "dispatched@0 error:failed@1", owner="team-up")
    blocked = a_task("t", "up", blocked_by="up", owner="team-t")
    found = why_task(a_run(failed, blocked), blocked, NOW)
    assert [line for line in found.details if line.startswith("owner")] == ["owner: team-up"]


def test_why_without_sentence_names_state_and_reason() -> None:
    task = a_task("t", "", "dispatched@0 error:failed@1")

    assert why_task(a_run(task), task, NOW).sentence == "t on server-a is in state error (failed)."


def test_why_of_waiting_task_without_cause_names_watch() -> None:
    assert why_task(a_run(a_task("t")), a_task("t"), NOW).next_step.command == f"dyna watch {RUN}"


def said_of(view: RunView) -> list[str]:
    return [line.plain for line in why_lines(view, why_run(view, NOW))]


def test_why_of_completed_run_names_show() -> None:
    assert said_of(completed_run()) == [
        "✓ task-3 completed.",
        f"  next: dyna show {RUN}",
    ]


def test_why_of_failed_run_names_root_cause_and_blocked() -> None:
    assert said_of(failed_run()) == [
        "✗ report ended in error: clean on server-a is in state error (failed).",
        "  at 03:04:10Z, 0.8 s after the attempt began",
        "  owner: team-a",
        "  2 tasks blocked: load and report",
        f"  next: dyna logs {RUN} clean",
        f"  once fixed: dyna retry {RUN}",
    ]


RAISED = ErrorDescription(
    type="KeyError",
    message="'rows'",
    traceback='Traceback:\n  File "my.py", line 3, in clean\nKeyError: \x1b[31mrows\n',
)


def test_why_of_task_shows_traceback_and_run_names_it() -> None:
    view = a_run(a_task("clean", "", "started@0 error:failed@1", error=RAISED), state="error")

    assert said_of(view)[-2:] == [
        f"  next: dyna why {RUN} clean",
        f"  once fixed: dyna retry {RUN}",
    ]
    assert [
        line.plain for line in why_task_lines(view.tasks[0], why_task(view, view.tasks[0], NOW))
    ][2:] == [
        "    Traceback:",
        '      File "my.py", line 3, in clean',
        "    KeyError: rows",
        f"  next: dyna logs {RUN} clean",
        f"  once fixed: dyna retry {RUN}",
    ]


def test_traceback_of_earlier_attempt_is_not_shown() -> None:
    task = a_task("clean", "", "started@0 error:failed@1 retry_wait@1 dispatched/2@2", error=RAISED)

    assert why_task(a_run(task), task, NOW).traceback == ()


def test_why_of_failing_run_names_other_failures() -> None:
    view = a_run(
        a_task("x", "", "error:failed@1"),
        a_task("y", "", "error:failed@1"),
        a_task("z", "x y", blocked_by="x y"),
        state="failing",
    )

    assert said_of(view)[0] == "✗ z is failing: x on server-a is in state error (failed)."
    assert "  y failed too" in said_of(view)


def test_why_names_a_root_cause_outside_the_view() -> None:
    view = a_run(
        a_task("z"), state="error", root_causes=[RootCause(task="x", server="s", reason="failed")]
    )

    assert said_of(view) == ["✗ z ended in error: x failed (failed).", f"  next: dyna show {RUN}"]


def test_cancelled_run_says_so() -> None:
    assert said_of(a_run(a_task("z"), state="error", cancelled=True)) == [
        "⊗ z was cancelled.",
        "  next: dyna do z",
    ]


def test_why_of_live_run_names_what_holds_it_up() -> None:
    view = a_run(
        a_task("done", "", "dispatched@0 completed@1"),
        a_task("slow", "done", "dispatched@1 started@2", deadline=at(1802)),
        a_task("other", "", "dispatched@1 queued@2"),
        a_task("middle", "done slow other"),
        a_task("end", "middle"),
    )

    assert said_of(view) == [
        "● end is running: slow on server-a is in state started.",
        "  since 03:04:07Z (8.0 s ago)",
        "  if it has not ended, it ends in error (run_timeout) at 03:34:07Z (in 29 m 52 s)",
        "  2 tasks at work: slow and other",
        f"  next: dyna watch {RUN}",
    ]


def test_why_of_live_run_counts_tasks_beside_the_named_one() -> None:
    view = a_run(a_task("slow", "", "dispatched@1 started@2"), a_task("end", "slow"))
    assert not [line for line in said_of(view) if "at work" in line]


def test_why_of_live_run_with_waiting_target_says_so() -> None:
    assert (
        said_of(a_run(a_task("end")))[0]
        == "● end is running: end on server-a is in state pending (waiting)."
    )


def test_why_of_run_without_tasks_names_watch() -> None:
    assert said_of(RunView(run_id=RUN, task="end", state="running")) == [
        "● end is running.",
        f"  next: dyna watch {RUN}",
    ]


def test_why_of_task_begins_with_its_sign() -> None:
    view = failed_run()

    assert why_task_lines(view.tasks[1], why_task(view, view.tasks[1], NOW))[0].plain.startswith(
        "✗ clean on server-a"
    )


def test_why_is_wrapped_between_words_but_not_commands() -> None:
    view = failed_run()

    assert [line.plain for line in why_lines(view, why_run(view, NOW), 40)] == [
        "✗ report ended in error: clean on",
        "  server-a is in state error (failed).",
        "  at 03:04:10Z, 0.8 s after the attempt",
        "    began",
        "  owner: team-a",
        "  2 tasks blocked: load and report",
        f"  next: dyna logs {RUN} clean",
        f"  once fixed: dyna retry {RUN}",
    ]


def test_word_longer_than_the_terminal_is_broken() -> None:
    task = a_task("t", "", "dispatched@0 error:failed@1", why="x" * 100)

    assert [
        len(line.plain) for line in why_task_lines(task, why_task(a_run(task), task, NOW), 40)[:4]
    ] == [1, 40, 40, 26]


def test_moment_of_another_day_has_its_date() -> None:
    task = a_task("t", "", "dispatched@0 started@1")

    assert (
        why_task(a_run(task), task, at(90_000)).details[0]
        == "since 2026-01-02 03:04:06Z (1 d 00 h ago)"
    )
