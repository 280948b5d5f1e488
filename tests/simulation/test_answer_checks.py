"""Checks of answers and refusals: a wrong one is found, at the very limit, too."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from cerebro.adapters.memory import MemoryStore
from cerebro.core.internal_messages import Tick
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.core.run.new_facts import begin_attempt
from cerebro.simulator.checks.answers import check_answer
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.reference import Reference
from cerebro.simulator.checks.reference_effects import check_effects
from cerebro.simulator.checks.reference_messages import check_run_message, check_task_message
from cerebro.simulator.checks.reference_runs import check_run
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.secrets import PLAIN, SCHEMA, SECRET
from cerebro.simulator.parts.sizes import REAL, Sizes
from cerebro.testing.examples import RUN
from cordyna_core.contract.base import Message, Problem, RootCause, meta_at
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, derived_id, server_source
from cordyna_core.contract.state_updates import (
    InvocationRejected,
    RunStateChanged,
    TaskStateChanged,
)
from cordyna_core.contract.time import utc
from world.declarations import declared, graph_of

PLAN: Final = Plan((PlannedTask(name="a", server="s"),))
RUNNING: Final = Run(id=RUN, task="a", plan_id=PLAN.id, created_at=0.0, cause="c")
SNAPSHOT: Final = RunSnapshot(RUNNING, PLAN)
LIVE: Final = begin_attempt(PLAN.tasks[0], None, cause="c", now=0.0)


@pytest.fixture(autouse=True)
def real_sizes_afterwards() -> Iterator[None]:
    yield
    REAL.set()


def handled(command: Message, *published: Message, **fields: Any) -> HandledInput:
    event = Envelope(CLIENT, command, "event-1", utc(0.0))
    return HandledInput(event, "event-1", RUN, published=[*published], **fields)


def refused(code: str, path: list[str] | None = None) -> InvocationRejected:
    problem = Problem(code=code, message="no", path=path)
    return InvocationRejected(event_id="event-1", task="a", problems=[problem])


@pytest.mark.parametrize(
    ("status", "state"), [("running", "running"), ("error", "error"), ("completed", "completed")]
)
def test_answer_with_another_state_is_found(status: Any, state: str) -> None:
    run = replace(RUNNING, status=status, commands=("event-1",))
    for answered in ("running", "failing", "error", "completed"):
        own = RunStateChanged(
            meta=meta_at(0.0, derived_id("answer", RUN, "event-1"), "event-1"),
            run_id=RUN,
            task="a",
            state=answered,
        )
        input_ = handled(RetryRun(run_id=RUN), own)
        input_.note_run(RUN, run)
        if answered == state:
            check_answer(input_, run, run, SNAPSHOT)
        else:
            with pytest.raises(Unexpected, match=f"was answered with {answered}"):
                check_answer(input_, run, run, SNAPSHOT)


@pytest.mark.parametrize(("bytes_max", "code"), [(15, "params_too_large"), (16, None)])
def test_params_of_a_byte_too_many_are_refused(bytes_max: int, code: str | None) -> None:
    Sizes(params_bytes=bytes_max).set()
    takes_day = {"params_schema": {"type": "object", "properties": {"day": {}}}}
    graph = graph_of(declared("s", "a", a=takes_day))
    command = InvokeTask(task="a", params={"day": "a"})
    found = refused("params_too_large")
    input_ = handled(command, found, graph=graph)
    if code:
        check_answer(input_, None, None, None)
    else:
        with pytest.raises(Unexpected, match="an invocation was answered with"):
            check_answer(input_, None, None, None)


def test_plain_secret_is_the_only_problem() -> None:
    takes = {"params_schema": {"type": "object", "properties": {SECRET: SCHEMA}}}
    graph = graph_of(declared("s", "a", a=takes))
    command = InvokeTask(task="a", params={SECRET: PLAIN, "surplus": 1})
    check_answer(handled(command, refused("plain_secret"), graph=graph), None, None, None)
    with pytest.raises(Unexpected, match="an invocation was answered with"):
        check_answer(handled(command, refused("unknown_param"), graph=graph), None, None, None)


def test_refusal_that_tells_a_secret_is_found() -> None:
    problem = Problem(code="plain_secret", message=f"{PLAIN} is no reference")
    tells = InvocationRejected(event_id="event-1", task="a", problems=[problem])
    with pytest.raises(Unexpected, match="a refusal tells a secret"):
        Reference(MemoryStore()).published(tells, handled(InvokeTask(task="a")))


@pytest.mark.parametrize(("kept", "is_full"), [(1, True), (2, False)])
def test_commands_beyond_those_that_are_kept_are_found(kept: int, *, is_full: bool) -> None:
    Sizes(kept_commands=kept).set()
    seen = replace(RUNNING, commands=("c1",), status="error", failing=True)
    new = replace(seen, commands=("c1", "event-1"), status="running", rev=1)
    retry = handled(RetryRun(run_id=RUN), refused("too_many_commands"), runs_read={RUN: seen})
    if is_full:
        check_answer(retry, seen, seen, SNAPSHOT)
        with pytest.raises(Unexpected, match="to a run that had 1 commands"):
            check_run(seen, new, {0: LIVE}, retry)
    else:
        check_run(seen, new, {0: LIVE}, retry)
        with pytest.raises(Unexpected, match="although the run had 1 commands"):
            check_answer(retry, seen, seen, SNAPSHOT)


def test_command_that_became_one_too_many_is_no_fault() -> None:
    """Both read the run when it had room for one."""
    Sizes(kept_commands=1).set()
    seen = replace(RUNNING, commands=("c1",), status="error", failing=True)
    new = replace(seen, commands=("c1", "event-1"), status="running", rev=1)
    retry = handled(RetryRun(run_id=RUN))
    retry.note_run(RUN, replace(seen, commands=()))
    check_run(seen, new, {0: LIVE}, retry)


def test_run_that_exists_and_is_answered_as_unknown_is_found() -> None:
    """It may be created while its command is handled, which is of a server and not about its own.

    Whether a server may command a run is asked after whether there is one.
    """
    cancel = CancelRun(run_id=RUN, command_id="c")
    event = Envelope(server_source("other"), cancel, "event-1", utc(0.0))
    unknown = HandledInput(event, "event-1", RUN, published=[refused("unknown_run")])
    check_answer(unknown, None, RUNNING, SNAPSHOT)
    with pytest.raises(Unexpected, match="answered as unknown"):
        check_answer(unknown, RUNNING, RUNNING, SNAPSHOT)


@pytest.mark.parametrize(("owner", "is_right"), [("other", True), ("s", False), (None, False)])
def test_task_that_moved_belongs_to_another(owner: str | None, *, is_right: bool) -> None:
    graph = graph_of(*([declared(owner, "a")] if owner else []))
    run = replace(RUNNING, status="error")
    retry = handled(RetryRun(run_id=RUN), refused("task_moved", ["a"]), graph=graph)
    if is_right:
        check_answer(retry, run, run, SNAPSHOT)
    else:
        with pytest.raises(Unexpected, match="a moved to nowhere"):
            check_answer(retry, run, run, SNAPSHOT)


def test_root_causes_beyond_those_of_a_message_are_found() -> None:
    Sizes(root_causes=1).set()
    causes = [RootCause(task=name, server="s", reason="failed") for name in "ab"]
    plan = Plan((PlannedTask(name="a", server="s"), PlannedTask(name="b", server="s")))
    end = RunStateChanged(run_id=RUN, task="a", state="error", root_causes=causes)
    with pytest.raises(Unexpected, match="names 2 root causes"):
        check_run_message(RunSnapshot(RUNNING, plan), RUNNING, end, has_completed=False)


def test_expiry_without_its_error_is_found() -> None:
    from_clock = replace(LIVE.timeline[0], state="error", reason="ack_timeout")
    fact: TaskRun = replace(LIVE, timeline=(*LIVE.timeline, from_clock))
    expiry = TaskStateChanged(
        server="s", run_id=RUN, task="a", attempt=1, state="error", reason="ack_timeout"
    )
    with pytest.raises(Unexpected, match="was published with the error None"):
        check_task_message(SNAPSHOT, fact, expiry)


def test_run_that_is_over_and_becomes_failing_is_found() -> None:
    failed = replace(LIVE, timeline=(replace(LIVE.timeline[0], state="error"),))
    over = replace(RUNNING, status="cancelled")
    with pytest.raises(Unexpected, match="that is cancelled became failing"):
        check_run(over, replace(over, failing=True), {0: failed}, handled(RetryRun(run_id=RUN)))


@pytest.mark.parametrize(
    ("attempt", "source", "is_wrong"), [(1, "s", True), (2, "s", False), (1, "other", False)]
)
def test_refused_update_of_an_attempt_that_was_sent_is_found(
    attempt: int, source: str, *, is_wrong: bool
) -> None:
    store = MemoryStore()
    store.write_plan(PLAN)
    store.write_run(RUNNING, None)
    store.write_task(RUN, 0, LIVE, None)
    update = TaskStateChanged(server="s", run_id=RUN, task="a", attempt=attempt, state="started")
    event = Envelope(server_source(source), update, "event-1", utc(0.0))
    if is_wrong:
        with pytest.raises(Unexpected, match="started of attempt 1 of a refused"):
            Reference(store).refused(HandledInput(event, "event-1", clocks=[60.0]))
    else:
        Reference(store).refused(HandledInput(event, "event-1", clocks=[60.0]))
    # It may have read the task run before the attempt began.
    Reference(store).refused(HandledInput(event, "event-1", clocks=[1.0]))


def test_tick_without_its_deadline_is_found() -> None:
    daily = {"cron": "0 6 * * *", "due": "1h"}
    invoked = InvokeTask(task="a", scheduled_at=utc(6 * 3600.0))
    tick = HandledInput(Tick("a", 6 * 3600.0), "tick", published=[invoked], clocks=[6 * 3600.0])
    tick.graph = graph_of(declared("s", "a", a=daily))
    with pytest.raises(Unexpected, match="its deadline is not stored"):
        check_effects(tick, None, MemoryStore())


def test_tick_that_is_skipped_without_an_earlier_run_is_found() -> None:
    skipped = refused("overlap_skipped")
    tick = HandledInput(Tick("a", 6 * 3600.0), "tick", published=[skipped], clocks=[6 * 3600.0])
    tick.graph = graph_of(declared("s", "a", a={"cron": "0 6 * * *"}))
    with pytest.raises(Unexpected, match="but no earlier one is running"):
        check_effects(tick, None, MemoryStore())
