"""Task notes: how long an attempt took, and what happened to it."""

import pytest

from cerebro.core.expiry_errors import EXPIRY_ERRORS
from cli.run_builders import a_task, at
from cordyna_cli.wording.phases import attempt_duration, attempt_started_at
from cordyna_cli.wording.task_notes import EXPIRY, task_note
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.reasons import reason_of

NOW = at(10)
DIED = ErrorDescription(type="WorkerDied", message="it ended without a result:\nexit code 7")


def test_blocked_task_of_a_retried_run_has_no_duration() -> None:
    """A retry with --downstream leaves an entry that says that the task waits."""
    task = a_task("feast", "menu", "pending:waiting@1", blocked_by="menu")
    blocked = task.model_copy(update={"reason": "blocked"})

    assert attempt_started_at(blocked) is None
    assert attempt_duration(blocked, NOW) is None


def test_attempt_after_a_wait_lasts_from_its_start() -> None:
    task = a_task("feast", "", "pending:waiting@1 pending:dispatched@2 started@3 completed@7")

    assert attempt_duration(task, NOW) == 4


def test_note_of_a_dead_worker_says_how_it_died() -> None:
    task = a_task("feast", "", "started@0 error:worker_died@1", error=DIED)
    bare = task.model_copy(update={"error": None})
    second = task.model_copy(update={"attempt": 2})

    assert [task_note(one, {}, NOW) for one in (task, bare, second)] == [
        "its worker died: it ended without a result: exit code 7",
        "its worker died",
        "its worker died (attempt 2): it ended without a result: exit code 7",
    ]


@pytest.mark.parametrize(("reason", "expiry"), EXPIRY_ERRORS.items())
def test_note_of_an_expired_clock_says_it_once(reason: str, expiry: ErrorDescription) -> None:
    task = a_task("feast", "", f"started@0 error:{reason}@1", error=expiry)
    by_host = ErrorDescription(type="RunTimeout", message="the body ran longer than 2 s")

    note = task_note(task, {}, NOW)

    assert expiry.type == EXPIRY
    assert note == reason_of("error", reason).note
    with_more = task_note(task.model_copy(update={"error": by_host}), {}, NOW)
    assert with_more == f"{note}: the body ran longer than 2 s"
