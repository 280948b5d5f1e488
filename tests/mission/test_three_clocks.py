"""The three clocks: 10 s to acknowledge, 10 min to start, 30 min to finish."""

from typing import Any

import pytest

from cordyna_core.contract.state_updates import TaskStateChanged
from world.scenarios import an_engine

CLOCKS = [
    pytest.param((), 10, "ack_timeout", id="ten seconds to acknowledge"),
    pytest.param(("queued",), 610, "start_timeout", id="ten minutes after `ack_by` to start"),
    pytest.param(("started",), 1800, "run_timeout", id="thirty minutes from started to completed"),
    pytest.param(
        ("queued", "started"), 1800, "run_timeout", id="thirty minutes even after a queue"
    ),
]


@pytest.mark.parametrize(("reports", "seconds", "reason"), CLOCKS)
def test_clock_expires(reports: tuple[Any, ...], seconds: float, reason: str) -> None:
    world = an_engine("a: x", silent=("x",))
    world.invoke("x")
    for state in reports:
        world.report("x", state)

    world.after(seconds + 2)

    assert world.states() == {"x": f"error {reason}"}


@pytest.mark.parametrize(("reports", "seconds", "reason"), CLOCKS)
def test_clock_a_second_before_its_end_has_not_expired(
    reports: tuple[Any, ...], seconds: float, reason: str
) -> None:
    world = an_engine("a: x", silent=("x",))
    world.invoke("x")
    for state in reports:
        world.report("x", state)

    world.after(seconds - 1)
    assert world.task("x").state != "error"

    world.report("x", "completed")
    assert world.after(10_000).states() == {"x": "completed"}, reason


@pytest.mark.parametrize(("reports", "seconds", "reason"), CLOCKS)
def test_clock_expires_within_two_seconds(
    reports: tuple[Any, ...], seconds: float, reason: str
) -> None:
    world = an_engine("a: x", silent=("x",))
    world.invoke("x")
    for state in reports:
        world.report("x", state)
    began = world.now

    world.after(seconds + 5)

    last = world.task("x").timeline[-1]
    assert last.reason == reason
    assert 0 <= last.at.timestamp() - began - seconds <= 2


def test_expiry_is_published_by_cerebro() -> None:
    world = an_engine("a: x", silent=("x",))
    world.invoke("x")

    world.after(12)

    (expiry,) = world.driver.events_of(TaskStateChanged)
    assert isinstance(expiry.message, TaskStateChanged)
    assert (expiry.source, expiry.message.state, expiry.message.reason) == (
        "cordyna.cerebro",
        "error",
        "ack_timeout",
    )


def test_each_state_update_starts_next_clock() -> None:
    world = an_engine("a: x", silent=("x",))
    world.invoke("x")

    world.after(9).report("x", "queued")
    world.after(599).report("x", "started")
    world.after(1799).report("x", "completed")

    assert world.after(10_000).states() == {"x": "completed"}


def test_declared_clocks_replace_defaults() -> None:
    world = an_engine("a: x", silent=("x",), x={"ack_timeout_s": 3, "run_timeout_s": 60})
    world.invoke("x")
    assert world.after(2).states() == {"x": "pending dispatched"}

    assert world.after(3).states() == {"x": "error ack_timeout"}


def test_unacknowledged_attempt_with_retries_is_retried() -> None:
    world = an_engine("a: x", silent=("x",), x={"retries": 1})
    world.invoke("x")
    assert world.after(11).states() == {"x": "pending retry_wait"}

    world.after(8)

    assert [command.attempt for command in world.commands] == [1, 2]
    assert world.after(12).states() == {"x": "error ack_timeout"}
