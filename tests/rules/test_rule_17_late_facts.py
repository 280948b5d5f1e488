"""Rule 17: the end of an older attempt arrives while the current one is decided (docs/rules.md)."""

from typing import Any

import pytest

from cordyna_core.contract.commands import RetryRun
from cordyna_core.contract.ids import CLIENT
from world.scenarios import ReactionWorld, a_run

ALL_EFFECTS = 100


def second_attempt() -> ReactionWorld:
    """The first attempt never answered; the second one was sent."""
    world = a_run("a", declared={"a": {"retries": 2}}).after(20)
    assert world.sent == [("a", 1), ("a", 2)]
    return world


def late_end(world: ReactionWorld) -> None:
    world.report("a", "error", attempt=1)


@pytest.mark.parametrize("effects", range(1, 10))
@pytest.mark.parametrize("is_started", [True, False])
def test_late_end_during_overdue_check_keeps_no_clock_open(
    effects: int, *, is_started: bool
) -> None:
    """The fact has another revision then, and no other input decides its clock."""
    world = second_attempt()
    if is_started:
        world.reach("a", "started")
    checks: list[Any] = []
    driver: Any = world.driver
    driver.send_overdue_check = checks.append
    while not checks:
        world.after(1)
    resume = world.driver.begin(checks.pop(), effects=effects)
    late_end(world)
    resume(ALL_EFFECTS)
    assert world.fact("a").error is not None


def test_late_end_during_retry_run_refuses_nothing() -> None:
    for effects in range(1, 24):
        world = a_run("a", declared={"a": {"retries": 1}}).after(20)
        world.reach("a", "error")
        world.after(5)
        retry = world.envelope(world.retry_command(command_id="r"), CLIENT)
        resume = world.driver.begin(retry, effects=effects)
        late_end(world)
        resume(ALL_EFFECTS)
        assert (world.problems, world.sent[-1]) == ([], ("a", 3)), effects


@pytest.mark.parametrize("effects", range(1, 14))
def test_late_end_while_a_rerun_dispatches_loses_no_command(effects: int) -> None:
    """It is added to the fact that waits, after the handler has read it."""
    world = a_run("a  b<-a", a="completed").after(20)
    world.publish(
        RetryRun(run_id=world.run_id, command_id="r", from_=["a"], downstream=True), CLIENT
    )
    world.reach("a", "started")
    resume = world.driver.begin(world.update("a", "completed"), effects=effects)
    world.report("b", "error", attempt=1)
    resume(ALL_EFFECTS)
    assert world.sent[-1] == ("b", 2)
