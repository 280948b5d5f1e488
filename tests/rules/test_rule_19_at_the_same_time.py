"""Rule 19: crashes, and handlers at the same time (docs/rules.md, rule 19)."""

import pytest

from cordyna_core.contract.commands import RetryRun
from cordyna_core.contract.ids import CLIENT
from world.incidents import events, the_incident
from world.scenarios import ReactionWorld, a_run, a_world


def held_failure() -> ReactionWorld:
    """A failed run whose failure the handler of incidents has not received."""
    world = a_run("a  b<-a", a="started")
    world.driver.held = []
    world.report("a", "error")
    return world


@pytest.mark.parametrize("effects", range(1, 24))
def test_retry_while_it_is_recorded_leaves_nothing_open(effects: int) -> None:
    world = held_failure()
    assert world.driver.held
    resume = world.driver.begin(world.driver.held[0], effects=effects)
    world.now += 1
    world.retry()
    world.reach("a", "completed")
    resume(100)
    assert [one for one in world.store.incidents() if one.is_open] == []
    assert world.store.read_graph().watched == frozenset()


@pytest.mark.parametrize("effects", range(1, 24))
def test_crash_while_it_is_recorded_publishes_once(effects: int) -> None:
    world = held_failure()
    assert world.driver.held
    failing = world.driver.held[0]
    world.driver.crash(failing, after=effects)
    world.handle(failing)
    assert events(world) == ["opened failed a"]
    assert the_incident(world, "failed", "a").times == 1
    assert world.stored_run().watched == (0,)


@pytest.mark.parametrize("effects", range(1, 24))
def test_cancellation_while_it_is_recorded_still_heals(effects: int) -> None:
    world = a_run("a  b<-a", a="started")
    world.driver.held = []
    world.after(1810)
    assert world.driver.held
    resume = world.driver.begin(world.driver.held[0], effects=effects)
    world.now += 1
    world.cancel()
    resume(100)
    world.report("a", "completed", attempt=1)
    assert [one for one in world.store.incidents() if one.is_open] == []


def test_crash_before_it_is_published_and_a_heal_since() -> None:
    world = held_failure()
    assert world.driver.held
    failing = world.driver.held[0]
    world.driver.crash_once(failing, lambda: bool(world.store.incidents()))
    world.now += 1
    world.retry()
    assert events(world) == []
    world.handle(failing)
    assert events(world) == ["opened failed a"], "it is retried, and has not completed"
    world.reach("a", "completed")
    assert events(world) == ["opened failed a", "closed failed a"]


def test_rerun_of_a_completed_run_closes_it() -> None:
    world = a_run("a  b<-a", a="completed", b="completed")
    run_id = world.invoke("a")
    world.report("a", "error", run_id=run_id)
    world.after(700)
    command = RetryRun(run_id=world.run_id, from_=["a"], downstream=True)
    world.publish(command, CLIENT)
    world.reach("a", "completed")
    assert events(world) == ["opened failed a", "closed failed a"]


def test_two_failures_of_one_cause_at_once_open_one() -> None:
    world = a_world("a")
    world.driver.held = []
    runs = [world.invoke("a"), world.invoke("a")]
    for run_id in runs:
        world.report("a", "error", run_id=run_id)
    first, second = [one for one in world.driver.held if one.message.state == "failing"]
    resume = world.driver.begin(first, effects=6)
    world.handle(second)
    resume(100)
    assert events(world) == ["opened failed a"]
    assert the_incident(world, "failed", "a").times == 2


@pytest.mark.parametrize("effects", range(1, 24))
def test_closing_while_another_failure_is_recorded(effects: int) -> None:
    """Who records the second failure read the incident as open, and marks the graph afterwards."""
    world = a_run("a", a="error").after(5)
    world.driver.held = []
    second = world.invoke("a")
    world.report("a", "error", run_id=second)
    (failing,) = [one for one in world.driver.held if one.message.state == "failing"]
    world.driver.held = None
    resume = world.driver.begin(failing, effects=effects)
    world.retry()
    world.reach("a", "completed")
    resume(100)
    watched = {incident.mark for incident in world.store.incidents() if incident.is_open}
    assert world.store.read_graph().watched == watched
