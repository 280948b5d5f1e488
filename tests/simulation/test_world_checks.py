"""World checks: who publishes, what is stored, and that nothing waits for a dead letter."""

from dataclasses import replace
from typing import Any

import pytest

from cerebro.adapters import codecs, internal_codec
from cerebro.adapters.memory import MemoryStore
from cerebro.core.effects import WriteTask
from cerebro.core.internal_messages import OverdueCheck, PageTimer
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.new_facts import begin_attempt, expire
from cerebro.simulator.checks.checker import Checker, InvariantBroken
from cerebro.simulator.checks.deciders import Deciders
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.load_promises import LoadPromises
from cerebro.simulator.checks.reference_effects import check_effects
from cerebro.simulator.checks.stored_forms import as_received
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.scenario import Scenario, ScriptedMessage, ServerBehavior
from cerebro.simulator.worlds.world import World
from cerebro.testing.examples import RUN
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import CLIENT, derived_id
from cordyna_core.contract.state_updates import RunStateChanged, TaskStateChanged
from world.declarations import declared

PLAN = Plan((PlannedTask(name="a", server="s"),))
A_RUN = Run(id=RUN, task="a", plan_id=PLAN.id, created_at=0.0, cause="c")
DISPATCHED = begin_attempt(PLAN.tasks[0], None, cause="c", now=0.0)
CHECK = OverdueCheck(RUN, 0, 20.0, 20.0, due=10.0)


# --- who publishes ----------------------------------------------------------------------------
@pytest.mark.parametrize("state", ["completed", "error"])
def test_end_is_published_by_who_decided_it(state: Any) -> None:
    deciders = Deciders()
    deciders.run_written(replace(A_RUN, status=state), "event-1")
    meta = meta_at(0.0, derived_id("RunStateChanged", RUN, state, 0))
    end = RunStateChanged(meta=meta, run_id=RUN, task="a", state=state)

    assert deciders.wrongly_published(end, "event-1") is None
    assert "decided nothing" in str(deciders.wrongly_published(end, "event-2"))


def test_answer_to_a_command_is_published_by_it() -> None:
    deciders = Deciders()
    deciders.run_written(A_RUN, "event-1")
    answer = RunStateChanged(meta=meta_at(0.0, "answer"), run_id=RUN, task="a", state="running")

    assert deciders.wrongly_published(answer, "event-2") is None


def test_expiry_is_published_by_who_decided_it() -> None:
    deciders = Deciders()
    expired = expire(PLAN.tasks[0], DISPATCHED, run_id=RUN, cause=CHECK.id, now=20.0)
    deciders.task_written(WriteTask(RUN, 0, expired, DISPATCHED), "a", CHECK.id)
    message = TaskStateChanged(
        server="s", run_id=RUN, task="a", attempt=1, state="error", reason="ack_timeout"
    )

    assert deciders.wrongly_published(message, CHECK.id) is None
    assert "decided nothing" in str(deciders.wrongly_published(message, "event-2"))


# --- missed acknowledgements --------------------------------------------------------------------
def check_expiry(rank: Rank, *, is_noted: bool) -> None:
    """Check the expiry of a task run of `s`, which is noted as silent or not."""
    store = MemoryStore()
    store.write_plan(PLAN)
    store.write_run(replace(A_RUN, failing=True), None)
    seen: TaskRun = replace(DISPATCHED, rank=rank)
    expired = expire(PLAN.tasks[0], seen, run_id=RUN, cause=CHECK.id, now=20.0)
    store.write_task(RUN, 0, expired, None)
    handled = HandledInput(CHECK, CHECK.id, armed_pages={0})
    handled.silent_servers = {"s"} if is_noted else set()
    handled.facts_written.append((0, seen, expired))
    handled.published.append(
        TaskStateChanged(
            server="s", run_id=RUN, task="a", attempt=1, state="error", reason=expired.reason
        )
    )
    check_effects(handled, RunSnapshot(A_RUN, PLAN), store)


def test_silent_server_that_is_noted_is_no_fault() -> None:
    check_expiry(Rank.PENDING, is_noted=True)
    check_expiry(Rank.STARTED, is_noted=False)


def test_silent_server_that_is_not_noted_is_found() -> None:
    with pytest.raises(Unexpected, match="did not acknowledge a command"):
        check_expiry(Rank.PENDING, is_noted=False)


def test_busy_server_that_is_noted_as_silent_is_found() -> None:
    with pytest.raises(Unexpected, match="noted as silent"):
        check_expiry(Rank.STARTED, is_noted=True)


def test_silent_server_of_another_delivery_is_no_fault() -> None:
    """It expired the fact, which moved on, after this delivery had begun and before it had read."""
    store = MemoryStore()
    store.write_plan(PLAN)
    store.write_run(A_RUN, None)
    expired = expire(PLAN.tasks[0], DISPATCHED, run_id=RUN, cause=CHECK.id, now=20.0)
    store.write_task(RUN, 0, replace(expired, rank=Rank.COMPLETED, deadline=None), None)
    handled = HandledInput(CHECK, CHECK.id, silent_servers={"s"})
    check_effects(handled, RunSnapshot(A_RUN, PLAN), store)


@pytest.mark.parametrize(("reported_at", "is_false"), [(1.0, False), (7.0, True), (11.0, False)])
def test_expiry_is_false_if_the_server_had_answered(*, reported_at: float, is_false: bool) -> None:
    """A lie about an attempt that was not sent yet is no answer, and a late one none in time."""
    server = World(0).servers["s0"]
    server.reported[RUN, "a", 1] = {"completed": reported_at}
    promises = LoadPromises(MemoryStore(), {"s": server}, has_faults=False)
    seen = replace(DISPATCHED, dispatched_at=5.0)
    expired = expire(PLAN.tasks[0], seen, run_id=RUN, cause=CHECK.id, now=10.0)
    promises.expired(RunSnapshot(A_RUN, PLAN), WriteTask(RUN, 0, expired, seen), 10.0, {})
    assert bool(promises.false_expiries) is is_false


# --- stored forms -------------------------------------------------------------------------------
def a_sealed_world() -> World:
    script = (ScriptedMessage(0.0, CLIENT, InvokeTask(task="a", key="k", labels={"x": "y"})),)
    servers = {"s": ServerBehavior()}
    declarations = (declared("s", "a"),)
    return World(1, Scenario(servers=servers, declared=declarations, script=script, sealed=True))


def test_world_that_reads_its_stored_forms_is_no_fault() -> None:
    assert a_sealed_world().run().broken is None


@pytest.mark.parametrize("name", ["_FACT_FIELDS", "_ENTRY_FIELDS", "_RESULT_FIELDS"])
def test_form_of_a_newer_version_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, name, getattr(codecs, name) + 1)
    assert a_sealed_world().run().broken is not None


def test_lost_field_of_a_stored_run_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = codecs.decode_run
    monkeypatch.setattr(codecs, "decode_run", lambda text: replace(decode(text), labels={}))
    assert "a run is read as" in str(a_sealed_world().run().broken)


def test_lost_field_of_an_internal_message_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = PageTimer(RUN, 1, 10.0)
    assert as_received(timer) == timer
    monkeypatch.setitem(internal_codec._DECODE, "ring", lambda fields, _: PageTimer(RUN, 0, 10.0))
    with pytest.raises(Unexpected, match="was received as"):
        as_received(timer)


# --- dead letters -------------------------------------------------------------------------------
def test_run_that_waits_for_a_dead_letter_is_found() -> None:
    store = MemoryStore()
    store.write_plan(PLAN)
    store.write_run(A_RUN, None)
    checker = Checker(store, 0.0)
    checker.now = lambda: 1000.0

    checker.check_continued(600.0, 500.0)
    checker.check_continued(1000.0, 0.0)
    with pytest.raises(InvariantBroken, match="waits for a dead letter"):
        checker.check_continued(600.0, 0.0)
