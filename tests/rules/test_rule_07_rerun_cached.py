"""Rule 7: a rerun, where a store answers completed facts from a cache (docs/rules.md, rule 7)."""

from dataclasses import replace
from typing import Any

from cerebro.core.internal_messages import PageTimer
from cerebro.simulator.parts.cached_facts import CachedFacts
from cerebro.simulator.parts.sizes import Sizes, sizes
from cordyna_core.contract.commands import RetryRun
from cordyna_core.contract.ids import CLIENT
from world.scenarios import ReactionWorld, a_run


def a_rerun(tasks: str, task: str) -> ReactionWorld:
    """A run that completed, whose facts are cached, and of which `task` runs again."""
    world = a_run(tasks)
    cached: Any = CachedFacts(world.driver.store)
    world.driver.ports = replace(world.driver.ports, store=cached)
    names = [word.partition("<-")[0] for word in tasks.split()]
    for name in names:
        world.report(name, "completed", output=f"{name}1")
    cached.read_tasks(world.run_id, range(len(names)))
    rerun = RetryRun(run_id=world.run_id, command_id="r", from_=[task], downstream=True)
    world.publish(rerun, CLIENT)
    return world


def test_outputs_of_a_rerun_are_not_read_from_a_cache() -> None:
    world = a_rerun("a  b  c<-a,b", "a")
    world.report("a", "completed", output="a2")
    assert world.sent[-1] == ("c", 2)
    assert world.commands[-1].upstream == {"a": "a2", "b": "b1"}


def test_retry_after_a_rerun_sends_a_third_attempt() -> None:
    world = a_rerun("a  b<-a", "a")
    world.report("a", "error")
    world.retry("a")
    assert world.sent[-1] == ("a", 3)


def test_moved_task_of_a_rerun_is_not_retried() -> None:
    world = a_rerun("a  b<-a", "a")
    world.report("a", "error")
    world.declare("s", "b<-a")
    world.declare("s2", "a")
    world.retry()
    assert world.problems == ["task_moved"]


@sizes(Sizes(page=1))
def test_lost_dispatch_of_a_rerun_is_repaired() -> None:
    world = a_rerun("a  b<-a", "a")
    update = world.update("a", "completed")
    world.driver.crash_once(update, lambda: world.state_of("a") == "completed")
    assert world.state_of("b") == "pending waiting"
    world.handle(PageTimer(world.run_id, 0, world.now))
    assert world.sent[-1] == ("b", 2)


def test_end_paused_over_a_rerun_does_not_complete_it() -> None:
    """The target's completion is cached, and a rerun lets it wait again."""
    for effects in range(1, 20):
        world = a_run("a  b<-a", a="completed")
        cached: Any = CachedFacts(world.driver.store)
        world.driver.ports = replace(world.driver.ports, store=cached)
        update = world.update("b", "completed")
        resume = world.driver.begin(update, effects=effects)
        if not world.fact("b").is_completed:
            continue
        world.handle(PageTimer(world.run_id, 0, world.now))
        cached.read_tasks(world.run_id, (0, 1))
        rerun = RetryRun(run_id=world.run_id, command_id="r", from_=["b"], downstream=True)
        world.publish(rerun, CLIENT)
        resume(50)
        assert world.problems == []
        assert world.stored_run().status == "running", effects
