"""Reference checks: each of them finds what it is there for."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import pytest

from cerebro.core.effects import WriteCachedResult, WriteRun
from cerebro.core.model.plan import CachedResult
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.run.new_facts import wait_again
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.reference_messages import check_run_message, check_same_end
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.faults import FaultInjector
from cerebro.simulator.parts.scenario import Scenario, ScriptedMessage, ServerBehavior
from cerebro.simulator.parts.sizes import REAL
from cerebro.simulator.worlds.handlers import SimulatedHandler
from cerebro.simulator.worlds.world import World
from cerebro.testing.examples import RUN, a_plan
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.commands import InvokeTask, RetryRun
from cordyna_core.contract.declaration import (
    FIELDS_WITHOUT_EFFECT_ON_RESULTS,
)
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source
from cordyna_core.contract.state_updates import (
    InvocationRejected,
    RunStateChanged,
    TaskStateChanged,
)
from cordyna_core.contract.time import utc
from world.declarations import declared


@pytest.fixture(autouse=True)
def real_sizes_afterwards() -> Iterator[None]:
    yield
    REAL.set()


def a_world_with_reuse(change: dict[str, Any]) -> World:
    """A task is invoked, declared again with a change, and invoked with an old result allowed."""
    script = (
        ScriptedMessage(0.0, CLIENT, InvokeTask(task="a", key="k1")),
        ScriptedMessage(60.0, server_source("s"), declared("s", "a", revision=1, a=change)),
        ScriptedMessage(90.0, CLIENT, InvokeTask(task="a", key="k2", max_age_s=600)),
    )
    servers = {"s": ServerBehavior()}
    return World(1, Scenario(servers=servers, declared=(declared("s", "a"),), script=script))


def reuses(world: World) -> bool:
    """Whether the second run reuses the result of the first one, and nothing broke."""
    verdict = world.run()
    assert (verdict.broken, verdict.runs) == (None, 2)
    return verdict.attempts == 1


@pytest.mark.parametrize("change", [{"consumers": []}, {"invokers": []}, {"retry_jitter": False}])
def test_reuse_after_a_change_of_its_use_is_no_fault(change: dict[str, Any]) -> None:
    assert reuses(a_world_with_reuse(change))


@pytest.mark.parametrize("change", [{"retries": 1}, {"description": "other"}, {"owner": "team-b"}])
def test_reuse_after_any_other_change_is_noticed(
    change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference has a list of its own of what has no effect on a result."""
    assert not reuses(a_world_with_reuse(change))
    planted = FIELDS_WITHOUT_EFFECT_ON_RESULTS | set(change)
    monkeypatch.setattr("cerebro.core.graph.versions.FIELDS_WITHOUT_EFFECT_ON_RESULTS", planted)
    broken = a_world_with_reuse(change).run().broken
    assert broken == "a reuses a result that was made from something else"


@pytest.mark.parametrize(
    ("index", "broken"),
    [
        (0, "b reuses the result of another task"),
        (1, "b reuses what did not complete, or not when it was dispatched"),
    ],
)
def test_reuse_of_another_result_is_noticed(
    monkeypatch: pytest.MonkeyPatch, index: int, broken: str
) -> None:
    script = tuple(
        ScriptedMessage(at, CLIENT, InvokeTask(task="b", key=f"k{at}", max_age_s=age))
        for at, age in ((0.0, None), (60.0, 600))
    )
    declaration = declared("s", "a  b<-a")
    scenario = Scenario(servers={"s": ServerBehavior()}, declared=(declaration,), script=script)
    world = World(1, scenario)
    read = world.store.read_cached_result

    def read_another(task: str, fingerprint: str) -> CachedResult | None:
        result = read(task, fingerprint)
        if result is None:
            return None
        of_a = world.store.read_task(result.run_id, 0)
        assert of_a is not None
        return replace(result, index=index, dispatched_at=of_a.dispatched_at)

    monkeypatch.setattr(world.store, "read_cached_result", read_another)
    assert world.run().broken == broken


def test_result_of_a_task_that_runs_again_may_be_reused() -> None:
    """A rerun takes no result back: `b` waits for `a` when it is invoked once more."""
    again = RetryRun(run_id=run_id_of("b", "k1", CLIENT), from_=["a"], downstream=True)
    script = (
        ScriptedMessage(0.0, CLIENT, InvokeTask(task="b", key="k1")),
        ScriptedMessage(60.0, CLIENT, again),
        ScriptedMessage(61.0, CLIENT, InvokeTask(task="b", key="k2", max_age_s=600)),
    )
    declaration = declared("s", "a  b<-a")
    scenario = Scenario(servers={"s": ServerBehavior()}, declared=(declaration,), script=script)
    verdict = World(1, scenario).run()
    assert (verdict.broken, verdict.runs, verdict.attempts) == (None, 2, 4)


def test_age_of_a_result_is_that_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that pauses before it reads the results finds them too old."""
    monkeypatch.setattr(FaultInjector, "pause_s", lambda _: 80.0)
    script = tuple(
        ScriptedMessage(at, CLIENT, InvokeTask(task="a", key=f"k{at}", max_age_s=100))
        for at in (0.0, 60.0)
    )
    scenario = Scenario(
        servers={"s": ServerBehavior()}, declared=(declared("s", "a"),), script=script
    )
    attempts = set()
    for number in range(World(1, scenario).run().effects):
        verdict = World(1, scenario, crash_at={number: "paused"}).run()
        assert verdict.broken is None, f"paused at effect {number}: {verdict.broken}"
        attempts.add(verdict.attempts)
    assert attempts == {1, 2}


def test_run_that_a_failed_write_returned_counts_as_read() -> None:
    """A cancel that is refused because the run completed between its read and its write."""
    seen = Run(id=RUN, task="a", plan_id="p", created_at=0.0, cause="c")
    completed = replace(seen, status="completed", version=2)
    handler = SimulatedHandler([], 0.0)
    handler.handled = HandledInput(None, "")
    cancel = WriteRun(replace(seen, status="cancelled", version=2), seen)

    World(0).cerebro._run_written(handler, cancel, completed)

    assert handler.handled.runs_read == {RUN: completed}


@pytest.mark.parametrize("has_completed", [True, False])
def test_completion_is_published_only_of_a_run_that_completed(*, has_completed: bool) -> None:
    """A rerun may have opened it again before a handler that was paused publishes that."""
    run = Run(id=RUN, task="a", plan_id="p", created_at=0.0, cause="c", reruns=1)
    message = RunStateChanged(run_id=RUN, task="a", state="completed")
    expected = nullcontext() if has_completed else pytest.raises(Unexpected, match="it is running")

    with expected:
        check_run_message(RunSnapshot(run, a_plan()), run, message, has_completed=has_completed)


@pytest.mark.parametrize(
    ("change", "cause", "expected"),
    [
        ({}, "", nullcontext()),
        ({}, "event-other", pytest.raises(Unexpected, match="that another input made")),
        ({"dispatched_at": 1.0}, "", pytest.raises(Unexpected, match="that it never had")),
        ({"output": "other"}, "", pytest.raises(Unexpected, match="with another output")),
    ],
)
def test_recorded_result_is_that_of_the_update(
    change: dict[str, Any], cause: str, expected: AbstractContextManager[Any]
) -> None:
    """A handler that was paused records it although a rerun lets the task wait by then."""
    world = a_world_with_reuse({})
    assert reuses(world)
    (run_id, index, at), fact = next(iter(world.checker.reference._completed.items()))
    waiting = wait_again(fact, cause="rerun", now=at)
    assert world.store.write_task(run_id, index, waiting, fact) is None
    update = TaskStateChanged(
        meta=meta_at(at, cause or fact.cause),
        server="s",
        run_id=run_id,
        task="a",
        attempt=1,
        state="completed",
    )
    handled = HandledInput(Envelope(server_source("s"), update, "event-1", utc(at)), "event-1")
    result = replace(CachedResult(run_id, index, at, fact.output, fact.output_ref), **change)

    with expected:
        world.checker.reference.result_written(WriteCachedResult("a", "f", result), handled)


def an_end(*causes: str, blocked: int = 2) -> RunStateChanged:
    return RunStateChanged.model_validate(
        {
            "run_id": RUN,
            "task": "c",
            "state": "error",
            "root_causes": [{"task": name, "server": "s", "reason": "raised"} for name in causes],
            "blocked": blocked,
        }
    )


@pytest.mark.parametrize(
    ("again", "healed", "is_same"),
    [
        (an_end("a", "b"), set(), True),
        (an_end("b"), set(), False),
        (an_end("b", blocked=1), {"a"}, True),
        (an_end("a", "b"), {"a"}, True),
        (an_end(), {"a"}, False),
        (an_end("a", "b", "c"), {"a"}, False),
        (an_end("a", "b", blocked=1), set(), False),
    ],
)
def test_end_is_published_again_with_its_causes(
    again: RunStateChanged, healed: set[str], *, is_same: bool
) -> None:
    with nullcontext() if is_same else pytest.raises(Unexpected, match="other causes"):
        check_same_end(an_end("a", "b"), again, healed=healed)


def test_run_that_is_read_after_a_refusal_did_not_lead_to_it() -> None:
    seen = Run(id=RUN, task="a", plan_id="p", created_at=0.0, cause="c", status="error")
    retry = HandledInput(None, "")
    retry.note_run(RUN, seen)
    retry.published.append(InvocationRejected(event_id="event-1", task="a", problems=[]))
    retry.note_run(RUN, replace(seen, commands=("c1",), version=2))
    assert retry.runs_read == {RUN: seen}
