"""Rule 19: crashes, and handlers at the same time (docs/rules.md, rule 19)."""

from typing import Any

import pytest

from cerebro.core.incidents.notices import IncidentNotice
from cerebro.core.incidents.record import SETTLE_S
from cordyna_core.contract.commands import InvokeTask, RetryRun
from cordyna_core.contract.ids import CLIENT, run_id_of
from world.incidents import events, the_incident
from world.scenarios import ReactionWorld, a_run, a_world
from world.world import Delivered


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


def second_failure() -> tuple[ReactionWorld, str, Any]:
    """An open incident of `a`, another run in which it failed, and the event of that failure."""
    world = a_run("a", a="error").after(5)
    world.driver.held = []
    second = world.invoke("a")
    world.report("a", "error", run_id=second)
    (failing,) = [one for one in world.driver.held if one.message.state == "failing"]
    world.driver.held = None
    return world, second, failing


@pytest.mark.parametrize("effects", range(1, 24))
def test_closing_while_another_failure_is_recorded(effects: int) -> None:
    """Who records the second failure read the incident as open, and marks the graph afterwards."""
    world, _, failing = second_failure()
    resume = world.driver.begin(failing, effects=effects)
    world.retry()
    world.reach("a", "completed")
    resume(100)
    watched = {incident.mark for incident in world.store.incidents() if incident.is_open}
    assert world.store.read_graph().watched == watched


@pytest.mark.parametrize("healed", ["first", "second"])
@pytest.mark.parametrize("more", range(1, 5))
@pytest.mark.parametrize("effects", range(1, 24))
def test_mark_after_the_closing_is_taken_back_after_a_crash(
    effects: int, more: int, healed: str
) -> None:
    """What it read has been healed, or is recorded already: the redelivered input adds nothing."""
    world, second, failing = second_failure()
    resume = world.driver.begin(failing, effects=effects)
    run_id = second if healed == "second" else world.run_id
    world.retry(run_id=run_id)
    world.reach("a", "completed", run_id=run_id)
    resume(more)
    world.handle(failing)
    watched = {incident.mark for incident in world.store.incidents() if incident.is_open}
    assert world.store.read_graph().watched == watched


def open_while_paused(world: ReactionWorld) -> None:
    """The incident of `a` is opened by another run, and its timer has looked for runs."""
    other = world.invoke("a", key="other")
    world.report("a", "error", run_id=other)
    world.after(2 * SETTLE_S)
    assert the_incident(world, "failed", "a").is_open


@pytest.mark.parametrize("effects", range(1, 11))
def test_run_that_a_paused_handler_stores_closes_it(effects: int) -> None:
    """The run was planned when nothing was open, and stored when the timer had looked."""
    world = a_world("a")
    command = world.envelope(InvokeTask(task="a", key="paused"), CLIENT)
    resume = world.driver.begin(command, effects=effects)
    open_while_paused(world)
    resume(100)
    world.report("a", "completed", run_id=run_id_of("a", "paused", CLIENT))
    assert events(world) == ["opened failed a", "closed failed a"]


def test_run_that_is_stored_before_a_crash_closes_it() -> None:
    world = a_world("a")
    command = world.envelope(InvokeTask(task="a", key="paused"), CLIENT)
    resume, run_id = world.driver.begin(command, effects=4), run_id_of("a", "paused", CLIENT)
    open_while_paused(world)
    while world.store.read_run(run_id) is None:
        resume(1)
    world.handle(command)
    world.report("a", "completed", run_id=run_id)
    assert events(world) == ["opened failed a", "closed failed a"]


@pytest.mark.parametrize("effects", range(1, 14))
def test_rerun_by_a_paused_handler_closes_it(effects: int) -> None:
    """A run that has completed is not among those that the timer marks."""
    world = a_run("a  b<-a", a="completed", b="completed")
    command = RetryRun(run_id=world.run_id, from_=["a"], downstream=True)
    resume = world.driver.begin(world.envelope(command, CLIENT), effects=effects)
    open_while_paused(world)
    resume(100)
    world.reach("a", "completed")
    assert events(world) == ["opened failed a", "closed failed a"]


def test_what_completes_before_a_paused_rerun_ends_closes_it() -> None:
    world = a_run("a  b<-a", a="completed", b="completed")
    command = RetryRun(run_id=world.run_id, from_=["a"], downstream=True)
    resume = world.driver.begin(world.envelope(command, CLIENT), effects=6)
    open_while_paused(world)
    while len(world.sent) < 4:
        resume(1)
    world.reach("a", "completed")
    assert events(world) == ["opened failed a"]
    resume(100)
    world.reach("b", "completed")
    assert events(world) == ["opened failed a", "closed failed a"]


def a_reopened_mark(world: ReactionWorld, closing: Delivered, effects: int, more: int) -> None:
    """Pause what closes it, let another run open it, crash the first and deliver it again."""
    other = world.invoke("a", key="other")
    resume = world.driver.begin(closing, effects=effects)
    world.now += 1
    world.report("a", "error", run_id=other)
    resume(more)
    world.handle(closing)
    watched = {incident.mark for incident in world.store.incidents() if incident.is_open}
    assert world.store.read_graph().watched == watched


@pytest.mark.parametrize("more", range(5))
@pytest.mark.parametrize("effects", range(1, 12))
def test_mark_of_the_next_opening_is_put_back_after_a_crash(effects: int, more: int) -> None:
    world = a_run("a", a="error").after(5)
    notices: list[IncidentNotice] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(world.driver, "send_incident_notice", notices.append)
        world.retry()
        world.reach("a", "completed")
    (notice,) = notices
    a_reopened_mark(world, notice, effects, more)


@pytest.mark.parametrize("more", range(5))
@pytest.mark.parametrize("effects", range(1, 30))
def test_mark_is_put_back_by_a_failure_that_was_healed(effects: int, more: int) -> None:
    """The failure is delivered again, finds that its task completed, and closes the incident."""
    world = held_failure()
    assert world.driver.held
    failing = world.driver.held[0]
    world.driver.held = None
    world.handle(failing)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(world.driver, "send_incident_notice", lambda _: None)
        world.retry()
        world.reach("a", "completed")
    a_reopened_mark(world, failing, effects, more)
