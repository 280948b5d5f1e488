"""Rule 7: a rerun and handlers that were paused before it (docs/rules.md, rule 7)."""

from itertools import product

import pytest

from cerebro.core.model.task_run import Rank
from cerebro.core.planning import planner
from cordyna_core.contract.commands import RetryRun, RunTask
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.state_updates import InvocationRejected
from world.scenarios import ReactionWorld, a_run

EFFECTS = range(1, 12)


def rerun_of(world: ReactionWorld, task: str) -> RetryRun:
    return RetryRun(run_id=world.run_id, command_id="r", from_=[task], downstream=True)


def second_command(world: ReactionWorld, task: str) -> RunTask | None:
    found = (command for command in world.commands if (command.task, command.attempt) == (task, 2))
    return next(found, None)


@pytest.mark.parametrize("effects", EFFECTS)
def test_handler_between_steps_of_a_rerun_dispatches_nothing(effects: int) -> None:
    """Upstream facts wait first: a handler that finds a task waiting finds its upstream waiting."""
    for rerun_effects in range(1, 24):
        world = a_run("a  b  c<-a,b", a="completed", b="started")
        update = world.report("b", "completed")
        world.reach("c", "completed")
        resume = world.driver.begin(update, effects=effects)
        rerun = world.envelope(rerun_of(world, "a"), CLIENT)
        resume_rerun = world.driver.begin(rerun, effects=rerun_effects)
        resume(100)
        resume_rerun(200)
        assert second_command(world, "c") is None, rerun_effects
        world.reach("a", "completed", output="a2")
        command = second_command(world, "c")
        assert command is not None
        assert command.upstream["a"] == "a2", rerun_effects


def test_task_behind_joins_gets_outputs_of_the_rerun(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that knows an old output completes the last join, and dispatches from it."""
    monkeypatch.setattr(planner, "MAX_AWAITED", 2)
    for effects, later in product(EFFECTS, EFFECTS):
        world = a_run("a  b  c  z<-a,b,c", b="completed", c="completed")
        update = world.report("a", "completed", output="a1")
        world.reach("z", "completed")
        resume = world.driver.begin(update, effects=effects)
        world.publish(rerun_of(world, "a"), CLIENT)
        second = world.driver.begin(world.update("a", "completed", output="a2"), effects=later)
        resume(100)
        second(100)
        command = second_command(world, "z")
        assert command is not None, (effects, later)
        assert command.upstream["a"] == "a2", (effects, later)


def test_rerun_begun_before_another_opened_the_run_is_finished() -> None:
    """The first lets a wait and crashes; the second opens the run; the first is delivered again."""
    world = a_run("a  b  c<-a,b", a="completed", b="completed", c="completed")
    first = world.envelope(rerun_of(world, "a"), CLIENT)
    world.driver.crash_once(first, lambda: world.fact("a").is_waiting)
    second = RetryRun(run_id=world.run_id, command_id="s", from_=["b"], downstream=True)
    world.publish(second, CLIENT)
    world.handle(first)
    assert world.problems == []
    assert world.stored_run().commands == ("s", "r")
    for task in "abc":
        world.reach(task, "completed")
    assert world.run().state == "completed"
    assert world.sent[3:] == [("b", 2), ("a", 2), ("c", 2)]


def test_retry_between_steps_of_a_rerun_awaits_its_upstream() -> None:
    """The rerun made `a` wait: it runs `b` again after it, so the retry leaves `b` to it."""
    met = 0
    for effects in range(1, 24):
        world = a_run("a  b<-a", a="completed", b="error").after(5)
        rerun = world.envelope(rerun_of(world, "a"), CLIENT)
        resume_rerun = world.driver.begin(rerun, effects=effects)
        a = world.store.read_task(world.run_id, 0)
        if a is None or a.rank != Rank.WAITING:
            continue
        met += 1
        world.handle(world.envelope(world.retry_command(command_id="retry"), CLIENT))
        assert not world.fact("b").is_live, effects
        assert world.problems == ["rerun_under_way"], effects
        resume_rerun(200)
        world.reach("a", "completed", attempt=2, output="a2")
        assert world.commands[-1].task == "b"
        assert world.commands[-1].upstream["a"] == "a2"
    assert met > 1


def test_retry_while_a_rerun_runs_names_what_it_runs() -> None:
    """`b` failed before, and waits for the second attempt of `a` now; `c` has not failed."""
    world = a_run("a  b<-a  c  d<-b,c", a="completed", b="error", c="completed").after(5)
    world.publish(rerun_of(world, "a"), CLIENT)
    refused = []
    for tasks in ((), ("b",), ("c",)):
        world.retry(*tasks)
        answers = (m for m in reversed(world.published) if isinstance(m, InvocationRejected))
        refused += [(problem.code, problem.path) for problem in next(answers).problems]
    assert refused == [
        ("rerun_under_way", ["b", "d"]),
        ("rerun_under_way", ["b"]),
        ("nothing_failed", None),
    ]
    assert ("b", 2) not in world.sent


@pytest.mark.parametrize("effects", range(6, 18))
def test_retry_that_a_rerun_overtakes_sends_no_lost_output(effects: int) -> None:
    """The rerun makes `a` wait when the retry has put `b`: `b` runs with the new output only."""
    for rerun_effects in range(24):
        world = a_run("a  b<-a")
        world.reach("a", "completed", output="a1")
        world.reach("b", "error")
        world.after(5)
        retry = world.envelope(world.retry_command(command_id="retry"), CLIENT)
        resume = world.driver.begin(retry, effects=effects)
        rerun = world.envelope(rerun_of(world, "a"), CLIENT)
        resume_rerun = world.driver.begin(rerun, effects=rerun_effects)
        resume(100)
        resume_rerun(200)
        if "r" in world.stored_run().commands:
            world.reach("a", "completed", attempt=2, output="a2")
            assert world.commands[-1].upstream == {"a": "a2"}, rerun_effects
        given = [command.upstream["a"] for command in world.commands if command.task == "b"]
        assert set(given) <= {"a1", "a2"}, rerun_effects
