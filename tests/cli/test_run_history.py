"""`why` of a run or a task says what only its events contain: earlier attempts, who cancelled."""

from datetime import datetime
from typing import Any

import pytest

from cli.fake_engine import FakeEngine
from cli.run_builders import RUN, a_run, a_task, at
from cli.run_dyna import dyna
from cordyna_cli.wording.run_history import run_history
from cordyna_core.contract.base import ErrorDescription, Message, Meta
from cordyna_core.contract.commands import CancelRun
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CEREBRO, CLIENT, server_source
from cordyna_core.contract.state_updates import RunStateChanged, TaskStateChanged
from cordyna_core.contract.views.runs import PassedEvent, TaskView

NOW = at(60)


def failure(attempt: int, task: str = "load", when: float = 0, **more: Any) -> str:
    fields: dict[str, Any] = {
        "reason": "failed",
        "error": ErrorDescription(type="ValueError", message=f"row {attempt}"),
    }
    message = TaskStateChanged(
        server="s", run_id=RUN, task=task, attempt=attempt, state="error", **{**fields, **more}
    )
    return _sealed(message, server_source("s"), f"f{task}{attempt}", at(when))


def cancel(event_id: str, source: str = CLIENT, when: float = 0, **more: Any) -> str:
    return _sealed(CancelRun(run_id=RUN, **more), source, event_id, at(when))


def ended(cause: str) -> str:
    message = RunStateChanged(run_id=RUN, task="load", state="error", meta=Meta(cause=cause))
    return _sealed(message, CEREBRO, f"e{cause}", at(9))


def _sealed(message: Message, source: str, event_id: str, time: datetime) -> str:
    return seal(message, source, event_id, time)


def passed(*texts: str) -> list[PassedEvent]:
    return [PassedEvent(seq=seq, text=text) for seq, text in enumerate(texts, 1)]


def completed(attempt: int, name: str = "load") -> TaskView:
    return a_task(name, "", f"dispatched/{attempt}@0 completed/{attempt}@1")


def test_completed_task_shows_why_earlier_attempts_failed() -> None:
    task = completed(3)
    events = passed(failure(2, when=5), failure(1), failure(1), failure(1, task="other"))

    assert run_history(events, a_run(task, state="completed"), task, NOW) == (
        "attempt 1 ended in error at 03:04:05Z: ValueError: row 1",
        "attempt 2 ended in error at 03:04:10Z: ValueError: row 2",
    )


def test_completion_after_an_expired_clock_shows_that_error() -> None:
    task = completed(1)
    expired = failure(1, reason="ack_timeout", error=None)

    assert run_history(passed(expired), a_run(task, state="completed"), task, NOW) == (
        "attempt 1 ended in error at 03:04:05Z: ack_timeout",
    )


def test_failed_task_does_not_repeat_its_last_error() -> None:
    task = a_task("load", "", "dispatched/2@0 error:failed/2@1")
    lines = run_history(passed(failure(1), failure(2)), a_run(task, state="error"), task, NOW)

    assert lines == ("attempt 1 ended in error at 03:04:05Z: ValueError: row 1",)


def test_history_of_many_attempts_shows_the_last_five() -> None:
    task = completed(9)
    events = passed(*(failure(attempt) for attempt in range(1, 9)))
    lines = run_history(events, a_run(task, state="completed"), task, NOW)

    assert lines[0] == "3 attempts ended in error before these"
    assert [line.split()[1] for line in lines[1:]] == ["4", "5", "6", "7", "8"]


def test_completed_run_names_the_tasks_that_were_retried() -> None:
    tasks = [completed(1, "a"), *(completed(2, f"t{number}") for number in range(7))]
    events = passed(failure(1, task="a", reason="ack_timeout"), failure(1, task="t0"))

    assert run_history(events, a_run(*tasks, state="completed"), None, NOW) == (
        "t0 completed in attempt 2; attempt 1: ValueError: row 1",
        *(f"t{number} completed in attempt 2" for number in range(1, 5)),
        "more than one attempt, too: t5 and t6",
    )


def test_run_in_error_says_nothing_of_retried_tasks() -> None:
    run = a_run(completed(2), a_task("x", "", "error:failed@1"), state="error")

    assert run_history(passed(failure(1)), run, None, NOW) == ()


@pytest.mark.parametrize(
    ("source", "who"),
    [(CLIENT, "a client"), (f"{CLIENT}.alice", "alice"), (server_source("ops"), "ops")],
)
def test_cancelled_run_says_by_whom_and_when(source: str, who: str) -> None:
    task = a_task("load", "", "dispatched@0 error:cancelled@9")
    run = a_run(task, state="error", cancelled=True)
    events = passed(cancel("c", source, when=9))
    sentence = f"cancelled by {who} at 03:04:14Z (51.0 s ago)"

    assert run_history(events, run, None, NOW) == (sentence,)
    assert run_history(events, run, task, NOW) == (sentence,)


@pytest.mark.parametrize("applied", [cancel("c2", when=9), cancel("x", when=9, command_id="c2")])
def test_cancellation_that_had_an_effect_is_the_one_shown(applied: str) -> None:
    """The first was refused, because the run had completed before it was retried."""
    run = a_run(a_task("load", "", "error:cancelled@9"), state="error", cancelled=True)
    events = passed(cancel("c1", when=1), applied, ended("c2"), cancel("c3", when=20))

    (line,) = run_history(events, run, None, NOW)
    assert "at 03:04:14Z" in line


@pytest.mark.parametrize("text", ['TaskStateChanged "error"', "CancelRun", "{}"])
def test_event_that_cannot_be_read_adds_nothing(text: str) -> None:
    run = a_run(completed(2), state="error", cancelled=True)

    assert run_history(passed(text), run, None, NOW) == ()
    assert run_history(passed(text), run, run.tasks[0], NOW) == ()


def test_why_shows_the_history_as_text_and_json() -> None:
    engine = FakeEngine(views=[a_run(completed(2), state="completed")], passed=passed(failure(1)))
    sentence = "attempt 1 ended in error at 03:04:05Z: ValueError: row 1"

    assert sentence in dyna("why", RUN, "load", engine=engine).out
    assert sentence in dyna("why", RUN, "load", "--json", engine=engine).json["beside"]
    assert "load completed in attempt 2" in dyna("why", RUN, engine=engine).out
