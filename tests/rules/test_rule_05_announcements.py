"""Rule 5: what is published about a run: each state once, by the input that led to it."""

from typing import Any

import pytest

from cerebro.core.incidents.notices import FailureNotice
from cerebro.handlers import queries
from cordyna_core.contract.state_updates import RunStateChanged
from cordyna_core.contract.views.runs import RunCriteria
from world.reactions import EFFECTS_MAX
from world.scenarios import ReactionWorld, a_run


def states_of(world: ReactionWorld, state: str) -> list[RunStateChanged]:
    return [
        message
        for message in world.published
        if isinstance(message, RunStateChanged) and message.state == state
    ]


def test_failing_run_names_its_cause_and_what_is_blocked() -> None:
    world = a_run("a  b<-a  x  c<-b,x", a="error")
    (failing,) = states_of(world, "failing")
    assert ([cause.task for cause in failing.root_causes], failing.blocked) == (["a"], 2)


def test_run_that_fails_twice_is_published_as_failing_once() -> None:
    world = a_run("a  b  c  d<-a,b,c", a="error", b="error")
    assert len(states_of(world, "failing")) == 1


def test_heal_in_a_running_run_publishes_no_state() -> None:
    world = a_run("a  b  c<-a,b", b="started").after(14)
    assert world.state_of("a") == "error ack_timeout"
    before = world.run_states
    world.report("a", "started")
    assert world.run_states == before == ["running", "failing"]


@pytest.mark.parametrize(("also_failed", "state"), [((), "running"), (("x",), "failing")])
def test_list_shows_a_healed_run_as_it_is(also_failed: tuple[str, ...], state: str) -> None:
    world = a_run("a  b  x  c<-a,b,x", b="started", x="started").after(14)
    for task in also_failed:
        world.report(task, "error")
    (before,) = queries.runs(world.store, 20)

    world.report("a", "started")

    (after,) = queries.runs(world.store, 20)
    assert (before.state, after.state, world.run().state) == ("failing", state, state)
    wanted = queries.runs(world.store, 20, RunCriteria(state="failing"))
    assert [run.state for run in wanted] == ["failing"] * len(also_failed)


def test_list_reads_no_facts_of_a_run_that_never_healed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_run("a  b  c<-a,b", a="error", b="started")
    monkeypatch.delattr(type(world.store), "read_page")

    (run,) = queries.runs(world.store, 20)

    assert run.state == "failing"


def test_completion_reported_twice_ends_the_run_once() -> None:
    world = a_run("a", a="completed")
    world.report("a", "completed")
    assert len(states_of(world, "completed")) == 1


def test_failure_reported_after_the_end_reaches_its_incident(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The end was published without it, so a notice says so."""
    world = a_run("a  b  c<-a,b", b="error").after(14)
    assert (world.state_of("a"), world.stored_run().status) == ("error ack_timeout", "error")
    notices: list[Any] = []
    monkeypatch.setattr(world.driver, "send_incident_notice", notices.append)
    update = world.report("a", "error")
    assert notices == [FailureNotice(world.run_id, update.id)]


@pytest.mark.parametrize("is_published", [True, False], ids=["published", "crashed"])
def test_end_names_causes_of_its_own_facts(*, is_published: bool) -> None:
    """A timer is paused; `a` heals, `b` fails, and the redelivered timer ends the run for that."""
    for effects in range(1, EFFECTS_MAX):
        world = a_run("a  b<-a  c<-b").after(11)
        (timer,) = world.driver.page_timers
        world.driver.lose_page_timers()
        world.now = timer.due
        resume = world.driver.begin(timer, effects=effects)
        if world.stored_run().is_over:
            return
        world.report("a", "completed")
        world.reach("b", "error")
        world.handle(timer)
        if not is_published:
            world.driver.published.remove(*states_of(world, "error"))
        resume(EFFECTS_MAX)
        causes = [[cause.task for cause in end.root_causes] for end in states_of(world, "error")]
        assert causes, effects
        assert all(names == ["b"] for names in causes), effects
    raise AssertionError("the timer did not end the run")
