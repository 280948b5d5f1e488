"""Dispatch: sending a task run's next attempt to its server, once every upstream has completed.

Law: put, arm, send. The fact is written before its command is sent, and the guardian is armed in between, so a crash
anywhere leaves something that finds it. Only the input that caused a fact sends its command again.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

from cerebro.core.effects import (
    IsGuarded,
    Now,
    Program,
    Publish,
    ReadOutputs,
    ReadRun,
    ReadTask,
    ReadTasks,
    Ring,
    SendRing,
    SendWalk,
    Steps,
    Walk,
    WriteGuard,
    WriteOutput,
    WriteTask,
)
from cerebro.core.ending import end
from cerebro.core.model import Pinned, Rank, TaskRun, page_of
from cerebro.core.say import run_task, say_cancelled
from cerebro.core.track import cancelled, completed_by_cerebro, dispatched
from cordyna_core.contract.message import Message

MARGIN_S: Final = 2.0
"""A ring due in less than this counts as none: clocks differ."""

LOOK_AFTER_S: Final = 3.0
"""How long after a failure the guardian looks for the end of the run: once per burst of failures."""

WALK_WIDTH: Final = 250
"""Downstream tasks looked at for one message; the rest goes on in messages of its own."""


def walk(pinned: Pinned, walk: Walk, known: dict[int, TaskRun]) -> Program:
    """Dispatch what is ready among the downstream of `walk.index` (or among the roots), from `walk.start` on."""
    plan = pinned.plan
    candidates = plan.roots if walk.index is None else plan.downstream[walk.index]
    end = walk.start + WALK_WIDTH
    if end < len(candidates):
        yield SendWalk(Walk(walk.run_id, walk.index, end, walk.cause, walk.repair))
    yield from dispatch_ready(pinned, candidates[walk.start : end], cause=walk.cause, known=known, repair=walk.repair)


def dispatch_ready(pinned: Pinned, candidates: Sequence[int], *, cause: str, known: dict[int, TaskRun], repair: bool = False) -> Program:
    """Dispatch those of `candidates` whose upstreams have all completed and that nobody has dispatched.

    `known` holds completed facts that were read already: a completed task stays completed, so they need not be read again.
    With `repair` most candidates are expected to have been dispatched, so that is looked at first.
    """
    run_id, plan = pinned.run.id, pinned.plan
    if repair and candidates:
        there = yield ReadTasks(run_id, tuple(candidates))
        # Also a join that this very cause completed: it may have crashed before it went on from there.
        candidates = [index for index in candidates if (fact := there.get(index)) is None or fact.cause == cause]
    sent: dict[int, TaskRun] = {}
    completed: int | None = None
    waiting = deque(candidates)
    while waiting:
        index = waiting.popleft()
        task = plan.tasks[index]
        if not (yield from _upstreams_completed(pinned, task.awaits, known)):
            continue
        now = yield Now()
        if task.is_join or task.reuses is not None:
            yield from _complete(pinned, index, known, cause=cause)
            waiting.extend(plan.downstream[index])
            completed = index
            continue
        fact = dispatched(task, None, cause=cause, now=now)
        there = yield WriteTask(run_id, index, fact, None)
        if there is None or _is_mine(there, 1, cause):
            sent[index] = there or fact
    if sent:
        yield from _send(pinned, sent, known)
    elif completed is not None:
        yield from _look_soon(run_id, page_of(completed))


def _look_soon(run_id: str, page: int) -> Program:
    """A join has no clock. If nothing came of it in a failing run, it may have been the last thing alive: somebody has to look."""
    run = yield ReadRun(run_id)
    if run.failing and not run.is_over:
        now = yield Now()
        yield from arm(run_id, page, now + LOOK_AFTER_S)


def _complete(pinned: Pinned, index: int, known: dict[int, TaskRun], *, cause: str) -> Program:
    """Complete what has no body to run."""
    task = pinned.plan.tasks[index]
    if task.reuses is not None and task.reuses.output_apart:
        outputs = yield ReadOutputs(task.reuses.run_id, (task.reuses.index,))
        yield WriteOutput(pinned.run.id, index, 1, outputs.get(task.reuses.index))
    now = yield Now()
    fact = completed_by_cerebro(task, cause=cause, now=now)
    there = yield WriteTask(pinned.run.id, index, fact, None)
    known[index] = there or fact
    if index == pinned.plan.target:
        yield from end(pinned.run.id, "completed", cause=cause)


def dispatch_again(pinned: Pinned, index: int, failed: TaskRun, *, cause: str) -> Steps[TaskRun]:
    """Dispatch the next attempt of a task whose back-off has ended. Returns the fact as it is then."""
    now = yield Now()
    fact = dispatched(pinned.plan.tasks[index], failed, cause=cause, now=now)
    there = yield WriteTask(pinned.run.id, index, fact, failed)
    if there is None or _is_mine(there, fact.attempt, cause):
        yield from _send(pinned, {index: there or fact}, {})
    return there or fact


def send_again(pinned: Pinned, facts: dict[int, TaskRun]) -> Program:
    """Send the commands of facts that this very input dispatched before (it was interrupted), without putting them again."""
    yield from _send(pinned, facts, {})


def arm(run_id: str, page: int, due: float) -> Program:
    """See to it that a ring for this page is due before `due`: the ring first, then the note that it was sent."""
    now = yield Now()
    if (yield IsGuarded(run_id, page, now + MARGIN_S, due)):
        return
    yield SendRing(Ring(run_id, page, due))
    now = yield Now()
    yield WriteGuard(run_id, page, due, now + MARGIN_S)


def _is_mine(fact: TaskRun, attempt: int, cause: str) -> bool:
    return fact.attempt == attempt and fact.rank in (Rank.PENDING, Rank.CANCELLED) and fact.cause == cause


def _upstreams_completed(pinned: Pinned, awaits: tuple[int, ...], known: dict[int, TaskRun]) -> Steps[bool]:
    # Highest index first: the last in topological order is the likeliest not to have completed.
    for upstream in reversed(awaits):
        if upstream not in known:
            fact = yield ReadTask(pinned.run.id, upstream)
            if fact is None or not fact.is_completed:
                return False
            known[upstream] = fact
    return True


def _send(pinned: Pinned, facts: dict[int, TaskRun], known: dict[int, TaskRun]) -> Program:
    if not facts:
        return
    run_id = pinned.run.id
    for page, due in _earliest(facts.items()).items():
        yield from arm(run_id, page, due)
    run = yield ReadRun(run_id)
    if run.status == "cancelled":
        yield from _cancel(pinned, facts)
        return
    outputs = yield from _outputs(pinned, facts, known)
    now = yield Now()
    yield Publish(tuple(run_task(pinned, index, fact, outputs, now=now) for index, fact in facts.items()))


def _cancel(pinned: Pinned, facts: dict[int, TaskRun]) -> Program:
    """Cancel what was just put: the cancellation may have looked before that. Whoever comes second sees the other."""
    messages: list[Message] = []
    for index, fact in facts.items():
        now = yield Now()
        ended = cancelled(fact, cause=fact.cause, now=now) if fact.is_live else fact
        there: TaskRun | None = (yield WriteTask(pinned.run.id, index, ended, fact)) if fact.is_live else None
        if there is None or there == ended:
            messages += say_cancelled(pinned, index, ended, cause=fact.cause, now=now)
    if messages:
        yield Publish(tuple(messages))


def _earliest(facts: Iterable[tuple[int, TaskRun]]) -> dict[int, float]:
    due: dict[int, float] = {}
    for index, fact in facts:
        if fact.deadline is not None:
            page = page_of(index)
            due[page] = min(fact.deadline, due.get(page, fact.deadline))
    return due


def _outputs(pinned: Pinned, facts: dict[int, TaskRun], known: dict[int, TaskRun]) -> Steps[dict[int, Any]]:
    tasks = pinned.plan.tasks
    upstreams = sorted({upstream for index in facts for upstream in tasks[index].upstream})
    missing = tuple(index for index in upstreams if index not in known)
    if missing:
        known.update((yield ReadTasks(pinned.run.id, missing)))
    outputs: dict[int, Any] = {index: known[index].output for index in upstreams if index in known}
    apart = tuple(index for index in outputs if known[index].output_apart)
    if apart:
        outputs.update((yield ReadOutputs(pinned.run.id, apart)))
    return outputs
