"""Rule 7: a rerun that meets a RetryRun or another rerun of the same run (docs/rules.md)."""

from itertools import product

import pytest

from cerebro.core.model.task_run import Rank
from cordyna_core.contract.commands import RetryRun, RunTask
from cordyna_core.contract.ids import CLIENT
from world.scenarios import ReactionWorld, a_run

ALL_EFFECTS = 200


def a_completed_run() -> ReactionWorld:
    world = a_run("a  b<-a  c<-b")
    complete_all(world)
    return world


def a_failed_run() -> ReactionWorld:
    world = a_run("a  b<-a  c<-b")
    world.reach("a", "completed", output="a1")
    world.reach("b", "error")
    world.driver.advance(5)
    return world


def rerun_of(world: ReactionWorld, task: str) -> RetryRun:
    return RetryRun(run_id=world.run_id, command_id=f"r-{task}", from_=[task], downstream=True)


def complete_all(world: ReactionWorld) -> None:
    """The server answers each command of a current attempt: with the attempt's own output."""
    while to_do := [
        command
        for command in world.commands
        if world.fact(command.task).rank == Rank.PENDING
        and world.fact(command.task).attempt == command.attempt
    ]:
        task, attempt = to_do[0].task, to_do[0].attempt
        world.reach(task, "completed", output=f"{task}{attempt}")


def accepted(world: ReactionWorld, task: str) -> RunTask:
    attempt = world.fact(task).attempt
    return next(one for one in world.commands if (one.task, one.attempt) == (task, attempt))


def check_given_last_outputs(world: ReactionWorld, names: str) -> None:
    """Each task was completed with what its upstream has at the end, and was given no gap."""
    complete_all(world)
    assert world.run().state == "completed"
    for name in names:
        for upstream, given in accepted(world, name).upstream.items():
            assert given == f"{upstream}{world.fact(upstream).attempt}", (name, world.sent)
    for command in world.commands:
        assert None not in command.upstream.values(), (command.task, command.attempt)


@pytest.mark.parametrize("effects", range(1, 14))
def test_rerun_judged_before_another_opened_it_is_refused(effects: int) -> None:
    """Whether the run is over is decided by the write that begins the rerun."""
    world = a_completed_run()
    late = world.driver.begin(world.envelope(rerun_of(world, "a"), CLIENT), effects=effects)
    is_begun = world.stored_run().reruns == 1
    world.publish(rerun_of(world, "c"), CLIENT)
    late(ALL_EFFECTS)

    assert world.problems == ([] if is_begun else ["run_not_over"])
    assert world.fact("a").attempt == (2 if is_begun else 1)


def test_two_reruns_at_any_moment_give_last_outputs() -> None:
    """One made `b` wait, opened the run and read `a`; then the other one makes `a` wait."""
    was_waiting = 0
    for effects, more in product(range(1, 40), range(3)):
        world = a_completed_run()
        of_a = world.driver.begin(world.envelope(rerun_of(world, "a"), CLIENT), effects=0)
        while world.stored_run().reruns == 0:
            of_a(1)
        of_a(more)
        of_b = world.driver.begin(world.envelope(rerun_of(world, "b"), CLIENT), effects=effects)
        was_waiting += world.fact("b").is_waiting
        while not world.fact("a").is_waiting:
            of_a(1)
        of_b(ALL_EFFECTS)
        of_a(ALL_EFFECTS)
        check_given_last_outputs(world, "abc")
    assert was_waiting > 1


def test_command_of_superseded_attempt_does_not_leave() -> None:
    """Between the fact of `b` and its command, the other rerun ran `a` and `b` again."""
    world = a_completed_run()
    of_a = world.driver.begin(world.envelope(rerun_of(world, "a"), CLIENT), effects=0)
    while world.stored_run().reruns == 0:
        of_a(1)
    of_b = world.driver.begin(world.envelope(rerun_of(world, "b"), CLIENT), effects=0)
    while world.fact("b").rank != Rank.PENDING:
        of_b(1)
    of_a(ALL_EFFECTS)
    world.reach("a", "completed", output="a2")
    of_b(ALL_EFFECTS)
    assert world.sent[3:] == [("a", 2), ("b", 3)]


@pytest.mark.parametrize("is_retry_last", [False, True])
def test_attempt_overtaken_by_rerun_is_superseded(*, is_retry_last: bool) -> None:
    """The retry read `a` before the rerun made it wait, and wrote `b` before the rerun did."""
    overtaken = 0
    for effects, of_rerun in product(range(6, 24, 2), range(6, 20)):
        world = a_failed_run()
        retry = world.envelope(world.retry_command(command_id="retry"), CLIENT)
        resume = world.driver.begin(retry, effects=effects)
        rerun = world.envelope(rerun_of(world, "a"), CLIENT)
        resume_rerun = world.driver.begin(rerun, effects=of_rerun)
        both = (resume_rerun, resume) if is_retry_last else (resume, resume_rerun)
        for one in both:
            one(ALL_EFFECTS)
        overtaken += world.fact("b").attempt == 3
        check_given_last_outputs(world, "abc")
    assert overtaken > 1


def test_command_of_overtaken_attempt_does_not_leave() -> None:
    """The rerun has made `a` wait and stops: the retry of `b` has nothing to give it."""
    world = a_failed_run()
    retry = world.envelope(world.retry_command(command_id="retry"), CLIENT)
    resume = world.driver.begin(retry, effects=0)
    while world.fact("b").attempt == 1:
        resume(1)
    rerun = world.envelope(rerun_of(world, "a"), CLIENT)
    resume_rerun = world.driver.begin(rerun, effects=0)
    while not world.fact("a").is_waiting:
        resume_rerun(1)
    resume(ALL_EFFECTS)
    assert world.sent[2:] == []

    resume_rerun(ALL_EFFECTS)
    complete_all(world)
    assert world.sent[2:] == [("a", 2), ("b", 3), ("c", 1)]
    assert ("b", 2) in world.cancelled
