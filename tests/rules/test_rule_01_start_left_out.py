"""Rule 1: `started` may be left out, and the end of the attempt names when its body began."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.new_facts import apply_update, begin_attempt, expire
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from world.scenarios import a_run

TASK = PlannedTask(name="a", server="s", retries=1)
SENT = 1_790_000_000.0
BEFORE = {"pending": [], "queued": ["queued"], "expired": ["expired"], "revived": ["x", "queued"]}


def an_update(state: str, **fields: object) -> TaskStateChanged:
    update = {"server": "s", "run_id": "R" * 26, "task": "a", "attempt": 1, "state": state}
    return TaskStateChanged.model_validate(update | fields)


def after(fact: TaskRun, update: TaskStateChanged, *, sent_at: float, now: float) -> TaskRun:
    """The fact after the update; the same one if it changes nothing."""
    changed = apply_update(
        TASK, fact, update, by=server_source("s"), cause="c", sent_at=sent_at, now=now
    )
    return changed or fact


def a_fact(before: str) -> TaskRun:
    """The first attempt, in the state before the body began."""
    fact = begin_attempt(TASK, None, cause="d", now=SENT)
    for what in BEFORE[before]:
        if what == "queued":
            fact = after(fact, an_update("queued"), sent_at=SENT + 1, now=SENT + 1)
        else:
            fact = expire(TASK, fact, run_id="R" * 26, cause="x", now=SENT + 1)
    return fact


@pytest.mark.parametrize("end", ["completed", "error"])
@given(
    before=st.sampled_from(sorted(BEFORE)),
    began=st.integers(-5, 40),
    took=st.integers(0, 40),
    late=st.integers(-3, 20),
)
def test_end_that_names_its_start_equals_both_updates(
    end: str, before: str, began: int, took: int, late: int
) -> None:
    fact, start, ended = a_fact(before), SENT + began, SENT + began + took
    now = max(SENT, ended + late)
    alone = after(fact, an_update(end, started_at=utc(start)), sent_at=ended, now=now)
    both = after(fact, an_update("started"), sent_at=start, now=now)
    both = after(both, an_update(end), sent_at=ended, now=now)
    assert alone == replace(both, rev=fact.rev + 1)
    assert alone.rev == fact.rev + 1, "one write"


@pytest.mark.parametrize("end", ["completed", "error"])
def test_started_after_its_end_adds_no_second_line(end: str) -> None:
    world = a_run("a  b<-a")
    world.report("a", end, started_at=utc(world.now))
    timeline = world.task("a").timeline
    world.report("a", "started")
    assert [entry.state for entry in timeline] == ["pending", "started", end]
    assert world.task("a").timeline == timeline


@pytest.mark.parametrize("end", ["completed", "error"])
def test_start_that_is_known_is_shown_once(end: str) -> None:
    world = a_run("a", a="started")
    world.report("a", end, started_at=utc(world.now - 1))
    assert [entry.state for entry in world.task("a").timeline] == ["pending", "started", end]


@pytest.mark.parametrize("state", ["queued", "started"])
def test_start_beside_another_state_is_ignored(state: str) -> None:
    world = a_run("a")
    world.report("a", state, started_at=utc(world.now))
    assert [entry.state for entry in world.task("a").timeline] == ["pending", state]


def test_start_of_an_older_attempt_is_not_shown() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="error").after(10)
    before = world.fact("a")
    world.report("a", "completed", attempt=1, started_at=utc(world.now))
    added = world.fact("a").timeline[len(before.timeline) :]
    assert [(entry.state, entry.reason) for entry in added] == [("completed", "late")]
    assert (before.attempt, world.fact("a").rank) == (2, Rank.PENDING)


def test_end_alone_after_its_ack_clock_heals_the_run() -> None:
    world = a_run("a  b<-a").after(12)
    assert world.state_of("a") == "error ack_timeout"
    world.report("a", "completed", started_at=utc(world.now - 8))
    assert world.state_of("a") == "completed"
    assert world.state_of("b") == "pending dispatched"
    world.reach("b", "completed")
    assert world.run().state == "completed"
