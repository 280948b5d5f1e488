"""Ticks: what cerebro does at the nominal time of a cron.

Invariant (docs/rules.md, rule 15): a tick fires once, at most 5 minutes late; otherwise it is
reported as missed. While the run of the tick before is not over, it is skipped and reported, unless
the task has `overlap: allow`.
"""

from collections.abc import Sequence

from cerebro.core.cron.schedule import TICK_LATE_MAX_S
from cerebro.core.effects import Now, Publish, ReadGraph, ReadRun, ReadTick, WriteTick
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.deadlines import arm_deadline, resume_deadline
from cerebro.core.internal_messages import Tick
from cerebro.core.messages import invocation_rejected
from cerebro.core.run.invoke import tick_key
from cordyna_core.contract.base import Message, Problem, meta_at
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import SCHEDULER, derived_id, run_id_of
from cordyna_core.contract.time import utc


async def on_tick(message: Tick) -> None:
    """Invoke the task for this nominal time, or publish why not."""
    now = await Now()
    graph = await ReadGraph()
    problem = _stale(graph, message, now)
    if problem is not None:
        await resume_deadline(message)
    else:
        before = await ReadTick(message.task)
        # First, so that it is decided even if no run is ever created.
        await arm_deadline(graph, message, before)
        problem = await _overlap(graph, message, before)
    event_id = derived_id("tick", message.task, str(message.nominal))
    if problem is not None:
        await Publish((invocation_rejected(event_id, message.task, [problem], now=now),))
        return
    await WriteTick(message.task, message.nominal)
    command = InvokeTask(
        meta=meta_at(now, event_id), task=message.task, scheduled_at=utc(message.nominal)
    )
    await Publish((command,))


def missed_ticks(task: str, ticks: Sequence[float], *, now: float) -> Message:
    """Return the report of nominal times at which no engine ran, all in one message."""
    first, last = _minute(ticks[0]), _minute(ticks[-1])
    is_one = len(ticks) == 1
    missed = "1 tick" if is_one else f"{len(ticks)} ticks"
    when = f"at {first} was" if is_one else f"from {first} to {last} were"
    text = f"{missed} of {task!r} {when} missed, because no engine was running: invoke it by hand"
    return invocation_rejected(
        derived_id("missed", task, str(ticks[-1])),
        task,
        [Problem(code="missed_tick", message=text)],
        now=now,
    )


def _stale(graph: Graph, message: Tick, now: float) -> Problem | None:
    when = _minute(message.nominal)
    if message.task not in graph or graph[message.task].task.cron is None:
        return Problem(
            code="not_scheduled",
            message=f"the tick of {message.task!r} at {when} was ignored: "
            "the task no longer has a cron",
        )
    late = now - message.nominal
    if late > TICK_LATE_MAX_S:
        return Problem(
            code="missed_tick",
            message=f"the tick of {message.task!r} at {when} was missed, because it was "
            f"{late:.0f} s late: invoke it by hand",
        )
    return None


async def _overlap(graph: Graph, message: Tick, last: float | None) -> Problem | None:
    if graph[message.task].task.overlap == "allow":
        return None
    if last is None or last >= message.nominal:
        return None
    run = await ReadRun(run_id_of(message.task, tick_key(last), SCHEDULER))
    if run is None or run.is_over:
        return None
    text = (
        f"the tick of {message.task!r} at {_minute(message.nominal)} was skipped: "
        f"run {run.id} of the tick before is not over"
    )
    return Problem(code="overlap_skipped", message=text)


def _minute(nominal: float) -> str:
    """Return `2026-11-28 17:41Z`: a cron fires at whole minutes."""
    return f"{utc(nominal):%Y-%m-%d %H:%M}Z"
