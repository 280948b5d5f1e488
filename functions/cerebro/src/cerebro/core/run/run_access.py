"""Run access: reads and conditional writes of a run and its facts, as every program needs them.

Invariant: a write returns None even if an earlier attempt of it succeeded and its answer was lost.
"""

from dataclasses import replace

from cerebro.core.effects import (
    ReadPage,
    ReadRun,
    ReadRunSnapshot,
    WriteOutput,
    WriteRun,
    WriteTask,
)
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun, without_details
from cordyna_core.errors import Fatal


async def read_run(run_id: str) -> Run:
    """Return the run as it is now. Raises Fatal if it is not known: it may be pruned."""
    run = await ReadRun(run_id)
    if run is None:
        raise _unknown(run_id)
    return run


async def read_snapshot(run_id: str) -> RunSnapshot:
    """Return the run with its plan. Raises Fatal if it is not known."""
    snapshot = await ReadRunSnapshot(run_id)
    if snapshot is None:
        raise _unknown(run_id)
    return snapshot


async def read_facts(snapshot: RunSnapshot) -> dict[int, TaskRun]:
    """Return all facts of a run by index, read from the last page to the first.

    In this order a task that is dispatched in between shows as one whose upstreams have completed.

    They are without details: 200,000 whole facts do not fit into the memory of a handler.
    """
    facts: dict[int, TaskRun] = {}
    for page in reversed(snapshot.plan.pages):
        found = await ReadPage(snapshot.run.id, page)
        facts.update((index, without_details(fact)) for index, fact in found.items())
    return facts


async def write_run(new: Run, seen: Run) -> Run | None:
    """Write a run. Returns None, or the run that is stored instead."""
    stored = await WriteRun(new, seen)
    return None if stored == new else stored


async def write_task(run_id: str, index: int, new: TaskRun, seen: TaskRun | None) -> TaskRun | None:
    """Write a fact, and before it its output if that is kept apart.

    Returns None, or the fact that is stored instead.
    """
    if new.output_ref is not None and new.output is not None:
        await WriteOutput(run_id, index, new.output_ref, new.output)
        new = replace(new, output=None)
    stored = await WriteTask(run_id, index, new, seen)
    return None if stored == new else stored


def _unknown(run_id: str) -> Fatal:
    return Fatal(f"run {run_id} is not known")
