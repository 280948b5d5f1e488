"""Dispatch: sending a task run's next attempt to its server, once every upstream has completed.

Law: put, arm, send. The fact is written before its command is sent, and the guardian is armed in between, so a crash
anywhere leaves something that finds it. Only the input that caused a fact sends its command again.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

from cerebro.core.effects import (
    FanOut,
    HasPageTimer,
    Now,
    PageTimer,
    Publish,
    ReadOutputs,
    ReadTask,
    ReadTasks,
    SendFanOut,
    SendPageTimer,
    WriteOutput,
    WritePageTimer,
    WriteTask,
)
from cerebro.core.messages import cancellation_messages, run_task
from cerebro.core.model import Rank, RunSnapshot, TaskRun, page_of
from cerebro.core.run.run_access import read_run
from cerebro.core.run.run_status import end_run
from cerebro.core.run.transitions import begin_attempt, cancel_task_run, complete_by_cerebro
from cordyna_core.contract.base import Message

CLOCK_SKEW_MARGIN_S: Final = 2.0
"""A ring due in less than this counts as none: clocks differ."""

PAGE_CHECK_DELAY_S: Final = 3.0
"""How long after a failure the guardian looks for the end of the run: once per burst of failures."""

FAN_OUT_WIDTH: Final = 250
"""Downstream tasks looked at for one message; the rest goes on in messages of its own."""


async def fan_out(snapshot: RunSnapshot, fan_out: FanOut, known: dict[int, TaskRun]) -> None:
    """Dispatch what is ready among the downstream of `walk.index` (or among the roots), from `walk.start` on."""
    plan = snapshot.plan
    candidates = plan.roots if fan_out.index is None else plan.downstream[fan_out.index]
    end_run = fan_out.start + FAN_OUT_WIDTH
    if end_run < len(candidates):
        await SendFanOut(
            FanOut(fan_out.run_id, fan_out.index, end_run, fan_out.cause, fan_out.repair)
        )
    await dispatch_ready(
        snapshot,
        candidates[fan_out.start : end_run],
        cause=fan_out.cause,
        known=known,
        repair=fan_out.repair,
    )


async def dispatch_ready(
    snapshot: RunSnapshot,
    candidates: Sequence[int],
    *,
    cause: str,
    known: dict[int, TaskRun],
    repair: bool = False,
) -> None:
    """Dispatch those of `candidates` whose upstreams have all completed and that nobody has dispatched.

    `known` holds completed facts that were read already: a completed task stays completed, so they need not be read again.
    With `repair` most candidates are expected to have been dispatched, so that is looked at first.
    """
    run_id, plan = snapshot.run.id, snapshot.plan
    if repair and candidates:
        known_facts = await ReadTasks(run_id, tuple(candidates))
        # Also a join that this very cause completed: it may have crashed before it went on from there.
        candidates = [
            index
            for index in candidates
            if (found := known_facts.get(index)) is None or found.cause == cause
        ]
    sent: dict[int, TaskRun] = {}
    completed: int | None = None
    waiting = deque(candidates)
    while waiting:
        index = waiting.popleft()
        task = plan.tasks[index]
        if not await _upstreams_completed(snapshot, task.awaits, known):
            continue
        now = await Now()
        if task.is_join or task.reuses is not None:
            await _complete(snapshot, index, known, cause=cause)
            waiting.extend(plan.downstream[index])
            completed = index
            continue
        fact = begin_attempt(task, None, cause=cause, now=now)
        there = await WriteTask(run_id, index, fact, None)
        if there is None or _is_mine(there, 1, cause):
            sent[index] = there or fact
    if sent:
        await _send(snapshot, sent, known)
    elif completed is not None:
        await _arm_soon(run_id, page_of(completed))


async def _arm_soon(run_id: str, page: int) -> None:
    """A join has no clock. If nothing came of it in a failing run, it may have been the last thing alive: somebody has to look."""
    run = await read_run(run_id)
    if run.failing and not run.is_over:
        now = await Now()
        await arm_page_timer(run_id, page, now + PAGE_CHECK_DELAY_S)


async def _complete(
    snapshot: RunSnapshot, index: int, known: dict[int, TaskRun], *, cause: str
) -> None:
    """Complete what has no body to run."""
    task = snapshot.plan.tasks[index]
    if task.reuses is not None and task.reuses.output_apart:
        outputs = await ReadOutputs(task.reuses.run_id, (task.reuses.index,))
        await WriteOutput(snapshot.run.id, index, 1, outputs.get(task.reuses.index))
    now = await Now()
    fact = complete_by_cerebro(task, cause=cause, now=now)
    there = await WriteTask(snapshot.run.id, index, fact, None)
    known[index] = there or fact
    if index == snapshot.plan.target:
        await end_run(snapshot.run.id, "completed", cause=cause)


async def dispatch_again(
    snapshot: RunSnapshot, index: int, failed: TaskRun, *, cause: str
) -> TaskRun:
    """Dispatch the next attempt of a task whose back-off has ended. Returns the fact as it is then."""
    now = await Now()
    fact = begin_attempt(snapshot.plan.tasks[index], failed, cause=cause, now=now)
    there = await WriteTask(snapshot.run.id, index, fact, failed)
    if there is None or _is_mine(there, fact.attempt, cause):
        await _send(snapshot, {index: there or fact}, {})
    return there or fact


async def send_again(snapshot: RunSnapshot, facts: dict[int, TaskRun]) -> None:
    """Send the commands of facts that this very input dispatched before (it was interrupted), without putting them again."""
    await _send(snapshot, facts, {})


async def arm_page_timer(run_id: str, page: int, due: float) -> None:
    """See to it that a ring for this page is due before `due`: the ring first, then the note that it was sent."""
    now = await Now()
    if await HasPageTimer(run_id, page, now + CLOCK_SKEW_MARGIN_S, due):
        return
    await SendPageTimer(PageTimer(run_id, page, due))
    now = await Now()
    await WritePageTimer(run_id, page, due, now + CLOCK_SKEW_MARGIN_S)


def _is_mine(fact: TaskRun, attempt: int, cause: str) -> bool:
    return (
        fact.attempt == attempt
        and fact.rank in (Rank.PENDING, Rank.CANCELLED)
        and fact.cause == cause
    )


async def _upstreams_completed(
    snapshot: RunSnapshot, awaits: tuple[int, ...], known: dict[int, TaskRun]
) -> bool:
    # Highest index first: the last in topological order is the likeliest not to have completed.
    for upstream in reversed(awaits):
        if upstream not in known:
            fact = await ReadTask(snapshot.run.id, upstream)
            if fact is None or not fact.is_completed:
                return False
            known[upstream] = fact
    return True


async def _send(
    snapshot: RunSnapshot, facts: dict[int, TaskRun], known: dict[int, TaskRun]
) -> None:
    if not facts:
        return
    run_id = snapshot.run.id
    for page, due in _earliest(facts.items()).items():
        await arm_page_timer(run_id, page, due)
    run = await read_run(run_id)
    if run.status == "cancelled":
        await _cancel(snapshot, facts)
        return
    outputs = await _outputs(snapshot, facts, known)
    now = await Now()
    await Publish(
        tuple(run_task(snapshot, index, fact, outputs, now=now) for index, fact in facts.items())
    )


async def _cancel(snapshot: RunSnapshot, facts: dict[int, TaskRun]) -> None:
    """Cancel what was just put: the cancellation may have looked before that. Whoever comes second sees the other."""
    messages: list[Message] = []
    for index, fact in facts.items():
        now = await Now()
        ended = cancel_task_run(fact, cause=fact.cause, now=now) if fact.is_live else fact
        there: TaskRun | None = (
            (await WriteTask(snapshot.run.id, index, ended, fact)) if fact.is_live else None
        )
        if there is None or there == ended:
            messages += cancellation_messages(snapshot, index, ended, cause=fact.cause, now=now)
    if messages:
        await Publish(tuple(messages))


def _earliest(facts: Iterable[tuple[int, TaskRun]]) -> dict[int, float]:
    due: dict[int, float] = {}
    for index, fact in facts:
        if fact.deadline is not None:
            page = page_of(index)
            due[page] = min(fact.deadline, due.get(page, fact.deadline))
    return due


async def _outputs(
    snapshot: RunSnapshot, facts: dict[int, TaskRun], known: dict[int, TaskRun]
) -> dict[int, Any]:
    tasks = snapshot.plan.tasks
    upstreams = sorted({upstream for index in facts for upstream in tasks[index].upstream})
    missing = tuple(index for index in upstreams if index not in known)
    if missing:
        known.update(await ReadTasks(snapshot.run.id, missing))
    outputs: dict[int, Any] = {index: known[index].output for index in upstreams if index in known}
    apart = tuple(index for index in outputs if known[index].output_apart)
    if apart:
        outputs.update(await ReadOutputs(snapshot.run.id, apart))
    return outputs
