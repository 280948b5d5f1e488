"""Rule 2: an accepted output never changes, whichever bodies of one attempt report."""

from typing import Any

import pytest

from cerebro.core.run.new_facts import MAX_INLINE_OUTPUT_BYTES
from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.limits import MAX_OUTPUT_BYTES
from world.scenarios import ReactionWorld, a_run

FIRST, SECOND = "first " + "x" * 1000, "second " + "x" * 1000


def a_run_with_two_users() -> ReactionWorld:
    """z<-b,c, where both need a and c also needs x."""
    return a_run("a  x  b<-a  c<-a,x  z<-b,c", a="started", x="started")


def output_given(world: ReactionWorld, task: str) -> Any:
    return next(c.upstream["a"] for c in world.commands if c.task == task)


def test_second_body_with_other_large_output_changes_nothing() -> None:
    for effects in range(1, 12):
        world = a_run_with_two_users()
        second = world.update("a", "completed", output=SECOND)
        first = world.update("a", "completed", output=FIRST)
        resume = world.driver.begin(second, effects=effects)
        world.handle(first)
        accepted = world.task("a").output
        resume(100)
        world.report("x", "completed")
        assert world.task("a").output == accepted, effects
        assert output_given(world, "b") == output_given(world, "c") == accepted, effects


def test_output_of_next_attempt_replaces_no_late_one() -> None:
    world = a_run("a  b<-a", declared={"a": {"retries": 1}}, a="error").after(10)
    world.report("a", "completed", attempt=1, output=FIRST)
    world.report("a", "completed", attempt=2, output=SECOND)
    assert output_given(world, "b") == SECOND


def test_output_size_counts_bytes_not_characters() -> None:
    """An emoji has one character and four bytes."""
    fits = "😀" * ((MAX_OUTPUT_BYTES - 2) // 4)
    world = a_run("a", a="started")
    world.report("a", "completed", output=fits)
    assert world.state_of("a") == "completed"
    world = a_run("a", a="started")
    world.report("a", "completed", output=fits + "😀")
    assert world.state_of("a") == "error failed_terminal"


@pytest.mark.parametrize("is_late", [False, True])
def test_output_too_large_is_shown_as_one_error(*, is_late: bool) -> None:
    """Even if it arrives after its attempt was given up, and however often it arrives."""
    world = a_run("a", declared={"a": {"retries": 1}})
    update = world.update("a", "completed", attempt=1, output="x" * MAX_OUTPUT_BYTES)
    if is_late:
        world.after(20)
    else:
        world.handle(update)
        world.retry()
    assert world.task("a").attempt == 2
    for _ in range(2):
        world.handle(update)
    ends = [
        (entry.state, entry.reason) for entry in world.task("a").timeline if entry.by != CEREBRO
    ]
    assert ends == [("error", "late" if is_late else "failed_terminal")]


def test_output_is_stored_separately_by_its_bytes() -> None:
    world = a_run("a", a="started")
    world.report("a", "completed", output="😀" * (MAX_INLINE_OUTPUT_BYTES // 4))
    assert world.fact("a").output_ref is not None
