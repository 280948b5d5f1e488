"""Large runs: what a handler keeps of them in memory."""

import pytest

from cerebro.core.incidents import causes
from cerebro.core.model.task_run import TaskRun
from cerebro.core.run.run_access import read_facts, read_snapshot
from cerebro.shell import perform
from cerebro.simulator.parts.sizes import Sizes, sizes
from cordyna_core.contract.base import ErrorDescription
from world.incidents import events, the_incident
from world.scenarios import ReactionWorld, a_run

NAMES = [f"w{number}" for number in range(7)]


def a_failed_run(monkeypatch: pytest.MonkeyPatch) -> ReactionWorld:
    """Seven tasks on pages of two have failed, each with a message of its own.

    The handler of incidents has received nothing yet.
    """
    world = a_run("  ".join(NAMES) + f"  z<-{','.join(NAMES)}")
    world.driver.held = []
    monkeypatch.setattr(world.driver, "send_incident_notice", lambda notice: None)
    for name in NAMES:
        world.report(name, "error", error=ErrorDescription(type="Oops", message=f"{name} broke"))
    return world


def test_facts_of_a_whole_run_have_no_details(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of 200,000 tasks do not fit into the memory of a handler."""
    facts: dict[int, TaskRun] = {}

    async def read() -> None:
        facts.update(await read_facts(await read_snapshot(world.run_id)))

    with sizes(Sizes(page=2)):
        world = a_failed_run(monkeypatch)
        perform(read(), world.driver.ports)
    assert sorted(facts) == list(range(7))
    assert {(fact.output, fact.error, fact.timeline) for fact in facts.values()} == {
        (None, None, ())
    }
    assert all(fact.failed_permanently for fact in facts.values())


def test_recorded_failures_have_details_on_every_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones of the plan, although its pages are read from the last one."""
    monkeypatch.setattr(causes, "CAUSES_PER_RUN_MAX", 3)
    with sizes(Sizes(page=2)):
        world = a_failed_run(monkeypatch)
        assert world.driver.held
        world.handle(world.driver.held[0])
        assert events(world) == [f"opened failed {name}" for name in NAMES[:3]]
        for name in NAMES[:3]:
            error = the_incident(world, "failed", name).error
            assert error is not None
            assert error.message == f"{name} broke"
