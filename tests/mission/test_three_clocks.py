"""The three clocks: 10 s to acknowledge, 10 min queued -> started, 30 min started -> completed; each also a second before."""

from typing import Any

import pytest

from cordyna_core.contract.state_updates import TaskStateChanged
from mission.stage import Stage

CLOCKS = [
    pytest.param((), 10, "ack_timeout", id="ten seconds to acknowledge"),
    pytest.param(("queued",), 600, "start_timeout", id="ten minutes from queued to started"),
    pytest.param(("started",), 1800, "run_timeout", id="thirty minutes from started to completed"),
    pytest.param(
        ("queued", "started"), 1800, "run_timeout", id="thirty minutes also after a queue"
    ),
]


@pytest.mark.parametrize(("said", "seconds", "reason"), CLOCKS)
def test_a_clock_runs_out(said: tuple[Any, ...], seconds: float, reason: str) -> None:
    stage = Stage("a: x", silent=("x",))
    run = stage.invoke("x")
    for state in said:
        stage.say(run, "x", state)

    stage.after(seconds + 2)

    assert stage.states(run) == {"x": f"error {reason}"}


@pytest.mark.parametrize(("said", "seconds", "reason"), CLOCKS)
def test_a_second_before_its_end_no_clock_has_run_out(
    said: tuple[Any, ...], seconds: float, reason: str
) -> None:
    stage = Stage("a: x", silent=("x",))
    run = stage.invoke("x")
    for state in said:
        stage.say(run, "x", state)

    stage.after(seconds - 1)
    assert stage.task(run, "x").state != "error"

    stage.say(run, "x", "completed")
    assert stage.after(10_000).states(run) == {"x": "completed"}, reason


@pytest.mark.parametrize(("said", "seconds", "reason"), CLOCKS)
def test_a_clock_is_kept_within_two_seconds(
    said: tuple[Any, ...], seconds: float, reason: str
) -> None:
    stage = Stage("a: x", silent=("x",))
    run = stage.invoke("x")
    for state in said:
        stage.say(run, "x", state)
    began = stage.now

    stage.after(seconds + 5)

    last = stage.task(run, "x").timeline[-1]
    assert last.reason == reason
    assert 0 <= last.at.timestamp() - began - seconds <= 2


def test_a_clock_that_runs_out_is_told_on_the_bus_by_cerebro() -> None:
    stage = Stage("a: x", silent=("x",))
    stage.invoke("x")

    stage.after(12)

    (told,) = stage.said(TaskStateChanged)
    assert isinstance(told.message, TaskStateChanged)
    assert (told.source, told.message.state, told.message.reason) == (
        "cordyna.cerebro",
        "error",
        "ack_timeout",
    )


def test_each_state_update_starts_the_next_clock_anew() -> None:
    stage = Stage("a: x", silent=("x",))
    run = stage.invoke("x")

    stage.after(9).say(run, "x", "queued")
    stage.after(599).say(run, "x", "started")
    stage.after(1799).say(run, "x", "completed")

    assert stage.after(10_000).states(run) == {"x": "completed"}


def test_a_task_may_declare_its_own_clocks() -> None:
    stage = Stage("a: x", silent=("x",), x={"ack_timeout_s": 3, "run_timeout_s": 60})
    run = stage.invoke("x")
    assert stage.after(2).states(run) == {"x": "pending dispatched"}

    assert stage.after(3).states(run) == {"x": "error ack_timeout"}


def test_an_attempt_that_was_not_acknowledged_is_tried_again_when_retries_are_left() -> None:
    stage = Stage("a: x", silent=("x",), x={"retries": 1})
    run = stage.invoke("x")
    assert stage.after(11).states(run) == {"x": "pending retry_wait"}

    stage.after(8)

    assert [command.attempt for command in stage.commands] == [1, 2]
    assert stage.after(12).states(run) == {"x": "error ack_timeout"}
