"""Invoke: from a command to a run with its plan.

Law: the same key gives the same run; what cannot be run is refused with every problem; a refusal is never silent.
"""

import json
from collections.abc import Sequence
from typing import Final

from cerebro.core.effects import (
    ClaimKey,
    FanOut,
    Now,
    Publish,
    ReadGraph,
    ReadRun,
    ReadRunSnapshot,
    WritePlan,
    WriteRun,
)
from cerebro.core.graph.graph import Graph
from cerebro.core.messages import invocation_rejected, run_state_changed
from cerebro.core.model import Plan, Run, RunSnapshot, page_of
from cerebro.core.planning.planner import check_params, plan_invocation
from cerebro.core.planning.result_reuse import plan_with_reuse
from cerebro.core.run.cancellation import cancel_live
from cerebro.core.run.dispatch import fan_out
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import SCHEDULER, run_id_of, server_of
from cordyna_core.contract.state_updates import RunState
from cordyna_core.contract.time import utc

MAX_PARAMS_BYTES: Final = 128 * 1024
"""A run's item holds them (DynamoDB takes 400 KB), and every task's command carries its share."""


async def invoke_task(envelope: Envelope) -> None:
    """Plan the task's upstream closure, keep it as a run, and dispatch what waits for nothing."""
    command = envelope.message
    assert isinstance(command, InvokeTask)
    key = invocation_key(command, envelope)
    run_id = run_id_of(command.task, key)
    there = await ReadRun(run_id)
    if there is not None:
        await _again(there, command, envelope)
        return
    graph: Graph = await ReadGraph()
    planned = _planned(graph, command, envelope.source)
    if not isinstance(planned, Plan):
        await _refuse(envelope, command.task, planned)
        return
    if command.key is not None:
        holder = await ClaimKey(command.key, command.task)
        if holder != command.task:
            await _refuse(envelope, command.task, [_key_reused(command.key, f"task {holder!r}")])
            return
    planned = await plan_with_reuse(graph, planned, command.params, command.max_age_s)
    now = await Now()
    run = Run(
        id=run_id,
        task=command.task,
        plan_id=planned.id,
        created_at=now,
        cause=envelope.id,
        params=command.params,
        key=command.key,
        max_age_s=command.max_age_s,
        labels=command.labels,
        scheduled_at=command.scheduled_at.timestamp() if command.scheduled_at else None,
    )
    # The plan first: a run never names a plan that is not there.
    await WritePlan(planned)
    there = await WriteRun(run, None)
    if (
        there is not None and there != run
    ):  # also when this very command wrote it: its plan may have been another
        await _again(there, command, envelope)
        return
    await _begin(RunSnapshot(run, planned), envelope.id)


async def _begin(snapshot: RunSnapshot, cause: str) -> None:
    now = await Now()
    await Publish((run_state_changed(snapshot.run, "running", cause=cause, now=now),))
    await fan_out(snapshot, FanOut(snapshot.run.id, None, 0, cause), {})


async def _again(run: Run, command: InvokeTask, envelope: Envelope) -> None:
    """The run exists: this is the same command once more, or another with the same key."""
    if run.params != command.params:
        await _refuse(
            envelope, command.task, [_key_reused(command.key or envelope.id, "other parameters")]
        )
        return
    now = await Now()
    await Publish((run_state_changed(run, wire_state(run), cause=envelope.id, now=now),))
    snapshot = await ReadRunSnapshot(run.id)
    if snapshot is not None and run.status == "cancelled":
        await cancel_live(snapshot, set(map(page_of, snapshot.plan.roots)), cause=envelope.id)
    elif snapshot is not None and not run.is_over:
        # The roots are dispatched again by their own cause only, so another command with the same key sends nothing.
        await fan_out(snapshot, FanOut(run.id, None, 0, envelope.id), {})


def wire_state(run: Run) -> RunState:
    """The wire's word for a run's status."""
    if run.status == "running":
        return "failing" if run.failing else "running"
    return "completed" if run.status == "completed" else "error"


def tick_key(nominal: float) -> str:
    """The key of the run of a cron tick: its nominal time."""
    return f"cron {utc(nominal).isoformat()}"


def invocation_key(command: InvokeTask, envelope: Envelope) -> str:
    """What makes two invocations of a task the same one."""
    if envelope.source == SCHEDULER and command.scheduled_at is not None:
        return tick_key(command.scheduled_at.timestamp())
    return command.key or envelope.id


def _planned(graph: Graph, command: InvokeTask, source: str) -> Plan | Sequence[Problem]:
    caller = server_of(source)
    planned = plan_invocation(graph, command.task)
    if not isinstance(planned, Plan):
        return planned
    owner = planned.tasks[planned.target].server
    if caller is not None and caller != owner:
        message = f"server {caller!r} may invoke its own tasks only, and {command.task!r} is a task of {owner!r}: invoke it as a client"
        return [Problem(code="not_your_task", message=message)]
    return _too_large(command) or check_params(graph, planned, command.params) or planned


def _too_large(command: InvokeTask) -> Sequence[Problem]:
    size = len(json.dumps([command.params, command.labels]).encode())
    if size <= MAX_PARAMS_BYTES:
        return ()
    text = f"params and labels have {size:,} bytes, and {MAX_PARAMS_BYTES:,} are the most: pass a reference (a path, an S3 key) instead"
    return (Problem(code="params_too_large", message=text),)


def _key_reused(key: str, other: str) -> Problem:
    return Problem(
        code="key_reused",
        message=f"key {key!r} was used before, with {other}: use another key, or ask for the same again",
    )


async def _refuse(envelope: Envelope, task: str, problems: Sequence[Problem]) -> None:
    now = await Now()
    await Publish((invocation_rejected(envelope.id, task, problems, now=now),))
