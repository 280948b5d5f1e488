"""Sent commands: every attempt that begins has its command sent, whatever crashes.

Invariant: when the input that dispatched an attempt has been handled, its command has left, or the
attempt has moved on, or its server may no longer begin it (docs/rules.md, rule 2), or a rerun has
overtaken it (rule 7).
"""

from collections import defaultdict
from typing import Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.simulator.checks.rerun_promises import RerunPromises
from cordyna_core.contract.commands import RunTask

Attempt = tuple[str, int, int]
"""Run, index, attempt."""

CLOCK_MARGIN_S: Final = 5.0
"""Handlers read clocks that differ, some time before their messages are acknowledged."""

_ROUNDED_S: Final = 0.001
"""Times in messages are rounded to milliseconds or less."""


class SentCommands:
    """The clocks of all attempts, and which of them were begun and not sent."""

    def __init__(self, reruns: RerunPromises) -> None:
        self._reruns = reruns
        self._clocks: defaultdict[Attempt, set[float]] = defaultdict(set)
        self._unsent: defaultdict[str, set[Attempt]] = defaultdict(set)

    def begun(self, run_id: str, index: int, seen: TaskRun | None, fact: TaskRun, key: str) -> None:
        """Note a fact that was written by the input `key`."""
        attempt = (run_id, index, fact.attempt)
        is_new = fact.rank == Rank.PENDING and (seen is None or seen.attempt != fact.attempt)
        if is_new:
            self._unsent[key].add(attempt)
        if is_new or (seen is not None and seen.dispatched_at != fact.dispatched_at):
            self._clocks[attempt].add(fact.dispatched_at)

    def sent(self, snapshot: RunSnapshot, command: RunTask, key: str) -> str | None:
        """Return what is wrong with the clocks of a command that the input `key` sent."""
        index = snapshot.plan.index_of[command.task]
        attempt, task = (command.run_id, index, command.attempt), snapshot.plan.tasks[index]
        self._unsent[key].discard(attempt)
        ack_by = command.ack_by.timestamp()
        # A handler that was paused sends an earlier clock than the one that is stored.
        is_known = any(_is_same(at + task.ack_timeout_s, ack_by) for at in self._clocks[attempt])
        if not is_known or not _is_same(
            command.start_by.timestamp(), ack_by + task.start_timeout_s
        ):
            return f"{command.task} was sent with ack_by {command.ack_by}, {command.start_by}"
        return None

    def handled(self, key: str, store: MemoryStore, now: float) -> str | None:
        """Return what the input `key` dispatched and never sent, now that it is acknowledged.

        Or what it overtook and left, if it is a rerun.
        """
        for run_id, index, attempt in sorted(self._unsent.pop(key, ())):
            snapshot, run = store.read_run_snapshot(run_id), store.read_run(run_id)
            fact = store.read_task(run_id, index)
            if snapshot is None or run is None or fact is None or fact.attempt != attempt:
                continue
            task = snapshot.plan.tasks[index]
            is_overtaken = self._reruns.is_overtaken(run_id, index, attempt)
            if is_overtaken or _needs_what_waits(store, run_id, task):
                continue  # a rerun makes it wait, or is about to
            if run.status != "cancelled" and _should_be_sent(task, fact, now):
                return f"{task.name}: the command of attempt {attempt} was never sent"
        return self._reruns.left_by(key)


def _needs_what_waits(store: MemoryStore, run_id: str, task: PlannedTask) -> bool:
    upstream = (store.read_task(run_id, needed) for needed in task.upstream)
    return any(found is not None and found.is_waiting for found in upstream)


def _should_be_sent(task: PlannedTask, fact: TaskRun, now: float) -> bool:
    """Return whether its server may begin it.

    One that expired and is retried leaves with its retry.
    """
    if fact.rank == Rank.ACK_TIMEOUT and fact.deadline is None:
        start_by = fact.dispatched_at + task.ack_timeout_s + task.start_timeout_s
        return now + CLOCK_MARGIN_S < start_by
    return fact.rank == Rank.PENDING


def _is_same(one: float, other: float) -> bool:
    return abs(one - other) < _ROUNDED_S
