"""Hear: what cerebro does when a task server tells of its task.

Law: write the fact first, then do what follows from it. The effects of a stale message are done again.
"""

from dataclasses import replace
from typing import Any

from cerebro.core.dispatch import LOOK_AFTER_S, arm, walk
from cerebro.core.effects import (
    NoteServer,
    Now,
    Program,
    Publish,
    ReadPinned,
    ReadRun,
    ReadTask,
    Steps,
    Walk,
    WriteLast,
    WriteOutput,
    WriteTask,
)
from cerebro.core.ending import end, heal, mark_failing
from cerebro.core.freshness import fingerprint
from cerebro.core.model import RANK_OF, Last, Pinned, Run, TaskRun, page_of
from cerebro.core.say import decided
from cerebro.core.track import advanced
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.names import server_of
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.errors import Fatal


def task_state_changed(envelope: Envelope) -> Program:
    """A server's word about its task run. Raises Fatal when it cannot be a word about anything that was sent."""
    update = envelope.message
    assert isinstance(update, TaskStateChanged)
    pinned: Pinned | None = yield ReadPinned(update.run_id)
    index = _index(pinned, update, envelope.source)
    assert pinned is not None
    now = yield Now()
    yield NoteServer(update.server, None, now)
    fact: TaskRun | None = yield ReadTask(update.run_id, index)
    while True:
        if fact is None or update.attempt > fact.attempt:
            raise Fatal(f"attempt {update.attempt} of task {update.task!r} was never sent in run {update.run_id}")
        now = yield Now()
        new = advanced(
            pinned.plan.tasks[index], fact, update, by=envelope.source, cause=envelope.id, said_at=envelope.said_at.timestamp(), now=now
        )
        if new is None:
            break
        there = yield from write_task(update.run_id, index, new, fact)
        if there is None:
            fact = new
            break
        fact = there
    if fact.attempt != update.attempt:
        return  # a fact about the past
    if fact.cause == envelope.id and fact.was_healed:
        # Also when it was written before: the first time may have crashed before `rev` was stepped.
        yield from heal(update.run_id, cause=envelope.id)
    yield from consequences(pinned, index, fact, cause=envelope.id)


def write_task(run_id: str, index: int, new: TaskRun, seen: TaskRun | None) -> Steps[TaskRun | None]:
    """Write a fact, its output apart from it if that is large. Returns None, or the fact that is there instead."""
    if new.output_apart and new.output is not None:
        yield WriteOutput(run_id, index, new.attempt, new.output)
        new = replace(new, output=None)
    there = yield WriteTask(run_id, index, new, seen)
    # A condition may fail because our own write had succeeded and only its answer was lost.
    return None if there == new else there


def consequences(pinned: Pinned, index: int, fact: TaskRun, *, cause: str) -> Program:
    """What follows from a fact: who can go on, whether the run ends, who guards the next deadline."""
    run_id, page = pinned.run.id, page_of(index)
    if fact.is_completed:
        run: Run = yield ReadRun(run_id)
        yield from _keep(pinned, index, fact, cause=cause)
        if index == pinned.plan.target:
            yield from end(run_id, "completed", cause=cause)
            return
        yield from walk(pinned, Walk(run_id, index, 0, cause), {index: fact})
        if run.failing:
            now = yield Now()
            yield from arm(run_id, page, now + LOOK_AFTER_S)
    elif fact.failed_for_good:
        yield from mark_failing(pinned, index, fact, cause=cause)
        now = yield Now()
        yield from arm(run_id, page, now + LOOK_AFTER_S)
    elif fact.deadline is not None:
        yield from arm(run_id, page, fact.deadline)
        if fact.waits_for_retry and fact.cause == cause:
            now = yield Now()
            yield Publish(decided(pinned, index, fact, cause=cause, now=now))


def _keep(pinned: Pinned, index: int, fact: TaskRun, *, cause: str) -> Program:
    """Note where the result is, for whoever may reuse it."""
    task = pinned.plan.tasks[index]
    if task.kept and fact.cause == cause:
        last = Last(pinned.run.id, index, fact.dispatched_at, fact.output if not fact.output_apart else None, fact.output_apart)
        yield WriteLast(task.name, fingerprint(task, pinned.run.params), last)


def go_on(walk_on: Walk) -> Program:
    """Cerebro's own message: the next part of a wide fan-out."""
    pinned: Pinned | None = yield ReadPinned(walk_on.run_id)
    if pinned is not None:
        yield from walk(pinned, walk_on, {})


def _index(pinned: Pinned | None, update: TaskStateChanged, source: str) -> int:
    if pinned is None:
        raise Fatal(f"run {update.run_id} is not known")
    index = pinned.plan.index_of.get(update.task)
    if index is None:
        raise Fatal(f"task {update.task!r} is not in the plan of run {update.run_id}")
    owner: Any = pinned.plan.tasks[index].server
    if server_of(source) != owner:
        raise Fatal(f"{source!r} may not speak of task {update.task!r}: it runs on {owner!r}")
    if update.state not in RANK_OF:
        raise Fatal(f"a server does not say {update.state!r} of a task")
    return index
