"""Invoke: from a command to a run with its plan.

Invariant: the same key gives the same run. What cannot be run is refused with every problem, and a
refusal is never silent.
"""

import json
from collections.abc import Sequence
from typing import Final

from cerebro.core.effects import (
    Now,
    Publish,
    ReadGraph,
    ReadRecentRun,
    ReadRun,
    ReadRunSnapshot,
    WriteOutput,
    WritePlan,
    WriteRun,
)
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.record import watch_what_opened
from cerebro.core.incidents.watch import watched_tasks
from cerebro.core.internal_messages import FanOut
from cerebro.core.messages import command_answer, run_state_changed, traceparent_of
from cerebro.core.model.plan import Plan, page_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.planning.params import check_params
from cerebro.core.planning.planner import plan_invocation
from cerebro.core.planning.result_reuse import PlanWithReuse, plan_with_reuse
from cerebro.core.refusal import refuse
from cerebro.core.run.cancellation import cancel_live
from cerebro.core.run.fan_out import fan_out
from cerebro.core.run.run_status import end_run
from cerebro.core.validation.problems import names_of, quoted
from cordyna_core.contract.access import may_invoke
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import SCHEDULER, run_id_of, server_of
from cordyna_core.contract.limits import MAX_PARAMS_BYTES
from cordyna_core.contract.refusals import key_reused
from cordyna_core.contract.time import utc

_to_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


async def invoke_task(envelope: Envelope) -> None:
    """Plan the task's upstream closure, store it as a run, and dispatch what waits for nothing."""
    command = envelope.message
    assert isinstance(command, InvokeTask)
    key = invocation_key(command, envelope)
    run_id = run_id_of(command.task, key, envelope.source)
    is_repeated = await ReadRecentRun(run_id) is not None
    if is_repeated and await _answer_if_repeated(run_id, command, envelope):
        return
    # Before the graph: it tells how old what is read now will be when the run is stored.
    created_at = await Now()
    graph = await ReadGraph()
    planned = _planned(graph, command, envelope.source)
    if not isinstance(planned, Plan):
        # A run that was created a moment ago, from an older graph, is not refused.
        if not await _answer_if_repeated(run_id, command, envelope):
            await _refuse(envelope, command.task, planned)
        return
    with_reuse = await plan_with_reuse(graph, planned, command.params, command.max_age_s)
    run = Run(
        id=run_id,
        task=command.task,
        plan_id=with_reuse.plan.id,
        created_at=created_at,
        cause=envelope.id,
        params=command.params,
        key=command.key,
        max_age_s=command.max_age_s,
        labels=command.labels,
        scheduled_at=command.scheduled_at.timestamp() if command.scheduled_at else None,
        source=envelope.source,
        traceparent=traceparent_of(envelope),
        watched=watched_tasks(with_reuse.plan, graph.watched),
    )
    if await _store(run, with_reuse, command, envelope):
        await _begin(RunSnapshot(run, with_reuse.plan), envelope.id)


async def _answer_if_repeated(run_id: str, command: InvokeTask, envelope: Envelope) -> bool:
    """Answer a command whose run exists. Returns whether it does."""
    stored = await ReadRun(run_id)
    if stored is None:
        return False
    await _answer_repeated(stored, command, envelope)
    return True


async def _store(run: Run, planned: PlanWithReuse, command: InvokeTask, envelope: Envelope) -> bool:
    """Store the run with all that it needs. Returns whether this command created it."""
    # Its own copies: the runs that the results come from may be deleted while this one lasts.
    for index, output in planned.outputs.items():
        ref = planned.plan.tasks[index].reuses
        assert ref is not None
        assert ref.output_ref is not None
        await WriteOutput(run.id, index, ref.output_ref, output)
    # The plan before the run: a run never names a plan that is not stored.
    await WritePlan(planned.plan)
    stored = await WriteRun(run, None)
    # Even if this very command wrote it in an earlier delivery: its plan may have been another.
    if stored is not None and stored != run:
        await _answer_repeated(stored, command, envelope)
        return False
    return True


async def _begin(snapshot: RunSnapshot, cause: str) -> None:
    await watch_what_opened(snapshot, since=snapshot.run.created_at)
    now = await Now()
    await Publish((run_state_changed(snapshot.run, "running", cause=cause, now=now),))
    await fan_out(snapshot, FanOut(snapshot.run.id, None, 0, cause), {})


async def _answer_repeated(run: Run, command: InvokeTask, envelope: Envelope) -> None:
    """Answer a command whose run exists: the same one again, or another with the same key."""
    if run.params != command.params:
        key = command.key or envelope.id
        await _refuse(envelope, command.task, [key_reused(key, "other parameters")])
        return
    now = await Now()
    if run.cause == envelope.id and run.status == "running" and not run.failing:
        # This very command created the run: its first delivery may not have announced it.
        await Publish((run_state_changed(run, "running", cause=envelope.id, now=now),))
    else:
        await Publish((command_answer(run, envelope.id, now=now),))
    snapshot = await ReadRunSnapshot(run.id)
    if snapshot is not None and run.status == "completed" and run.cause == envelope.id:
        # It reuses its target, so this command ended it, and may have crashed before it said so.
        await end_run(snapshot, "completed", cause=envelope.id)
    elif snapshot is not None and run.status == "cancelled":
        await cancel_live(snapshot, set(map(page_of, snapshot.plan.roots)), cause=envelope.id)
    elif snapshot is not None and run.status != "completed":
        # Its first delivery may have crashed before it did so.
        await watch_what_opened(snapshot, since=run.created_at)
        # Only the command that dispatched the roots sends them again; another one with the same key
        # sends nothing. Also in a run that has ended in error, perhaps because nothing was sent.
        await fan_out(snapshot, FanOut(run.id, None, 0, envelope.id), {})


def tick_key(nominal: float) -> str:
    """Return the key of the run of a cron tick: its nominal time."""
    return f"cron {utc(nominal).isoformat()}"


def invocation_key(command: InvokeTask, envelope: Envelope) -> str:
    """Return what makes two invocations of a task the same one."""
    if envelope.source == SCHEDULER and command.scheduled_at is not None:
        return tick_key(command.scheduled_at.timestamp())
    return command.key or envelope.id


def _planned(graph: Graph, command: InvokeTask, source: str) -> Plan | Sequence[Problem]:
    """Return the plan of an invocation, or every reason to refuse it."""
    planned = plan_invocation(graph, command.task)
    if not isinstance(planned, Plan):
        return planned
    return (
        _not_an_invoker(graph, command.task, source)
        or _too_large(command)
        or check_params(graph, planned, command.params)
        or planned
    )


def _not_an_invoker(graph: Graph, task: str, source: str) -> Sequence[Problem]:
    owner, declared = graph[task]
    if may_invoke(source, owner, declared.invokers):
        return ()
    caller = server_of(source) or source.removeprefix("cordyna.")
    allowed = names_of(declared.invokers or []) or "its own server only"
    message = (
        f"{caller} may not invoke {quoted(task)} of {owner}, whose invokers are {allowed}: "
        f"ask {declared.owner or owner} to add {caller}"
    )
    return (Problem(code="not_an_invoker", message=message, path=[task]),)


def _too_large(command: InvokeTask) -> Sequence[Problem]:
    text = _to_json([command.params, command.labels])
    size = len(text.encode("utf-8", "surrogatepass"))
    if size <= MAX_PARAMS_BYTES:
        return ()
    message = (
        f"params and labels have {size:,} bytes, and {MAX_PARAMS_BYTES:,} are the most: "
        "pass a reference (a path, an S3 key) instead"
    )
    return (Problem(code="params_too_large", message=message),)


async def _refuse(envelope: Envelope, task: str, problems: Sequence[Problem]) -> None:
    await refuse(envelope, task, problems, sender=await _sender_of(envelope))


async def _sender_of(envelope: Envelope) -> tuple[str, str] | None:
    """Return the run and task whose body sent an invocation: its refusal belongs to them, too.

    None: no body did, or what it names does not run on the sender's server.
    """
    command = envelope.message
    assert isinstance(command, InvokeTask)
    if not command.by_run or not command.by_task:
        return None
    snapshot = await ReadRunSnapshot(command.by_run)
    index = snapshot.plan.index_of.get(command.by_task) if snapshot else None
    if snapshot is None or index is None:
        return None
    if snapshot.plan.tasks[index].server != server_of(envelope.source):
        return None
    return command.by_run, command.by_task
