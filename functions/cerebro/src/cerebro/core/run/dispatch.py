"""Dispatch: sends a task run's next attempt to its server once every upstream has completed.

Theory of operation. A fact is written before anything follows from it, in a fixed order:

    put     write the fact (attempt n, PENDING, its deadline, `cause` = the id of this input)
    arm     make sure that a timer of its page is due by the deadline (see page_timers.py)
    check   read the run: if it was cancelled meanwhile, cancel instead of sending
    send    publish RunTask, unless a rerun has overtaken the attempt

The first is done here, one task at a time, the others for a group of commands (command_groups.py).

A crash may come after any of these. The input is then delivered again and finds its own fact by its
`cause`, and it does the rest again; `RunTask` has a derived id, and a server runs an attempt once.
If that is late, the clock of the attempt starts again with its command (see own_attempts.py).
Any other input that finds the fact does nothing: so a command is sent by one input only, and not by
each one that notices that the upstreams have completed.

No wake-up can be lost between two upstreams that complete at the same time. Each writes its own
fact before it reads the others', so the one that writes last sees all of them completed. Both may
see it; then the conditional put of the downstream's first fact lets one of them win.

A fact's clock starts when it is put, so its command must follow at once: a group leaves as soon as
it is full, while the fan-out continues. What is wider than FAN_OUT_WIDTH continues in messages of
its own, each of which is sent before its predecessor dispatches.

Joins and reused results have no body: they complete here, and the fan-out continues from them.

Invariant: put, arm, check, send. Only the input that caused a fact sends its command
(docs/rules.md, rule 2).
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from cerebro.core.effects import Now, ReadTask, ReadTasks, SendFanOut, WriteTask
from cerebro.core.internal_messages import FanOut
from cerebro.core.model.plan import page_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun, all_completed
from cerebro.core.run.command_groups import COMMANDS_PER_GROUP, send_group
from cerebro.core.run.new_facts import begin_attempt, complete_without_body
from cerebro.core.run.own_attempts import is_own
from cerebro.core.run.page_timers import arm_page_check
from cerebro.core.run.run_access import read_run
from cerebro.core.run.run_status import end_run
from cerebro.core.run.transitions import has_not_moved

FAN_OUT_WIDTH: Final = 250
"""Downstream tasks examined for one message; the others follow in messages of their own."""


async def fan_out(snapshot: RunSnapshot, message: FanOut, known: dict[int, TaskRun]) -> Run | None:
    """Dispatch what is ready downstream of `message.index` (None: the roots), from `start` on.

    Returns the run as it was read before the last commands were sent; None: none were.
    """
    plan = snapshot.plan
    candidates = plan.roots if message.index is None else plan.downstream[message.index]
    end = message.start + FAN_OUT_WIDTH
    if end < len(candidates):
        rest = FanOut(message.run_id, message.index, end, message.cause, message.repair)
        await SendFanOut(rest)
    return await dispatch_ready(
        snapshot,
        candidates[message.start : end],
        cause=message.cause,
        known=known,
        repair=message.repair,
    )


async def dispatch_ready(
    snapshot: RunSnapshot,
    candidates: Sequence[int],
    *,
    cause: str,
    known: dict[int, TaskRun],
    repair: bool = False,
) -> Run | None:
    """Dispatch those of `candidates` that wait and whose upstreams have all completed.

    Returns the run as it was read before the last commands were sent; None: none were.

    `known`: completed facts that were read already; they stay completed, so they are not read
    again. `repair`: most candidates have been dispatched, so their facts are read first.
    """
    plan = snapshot.plan
    if repair:
        candidates = await _still_waiting(snapshot, candidates, cause)
    group: dict[int, TaskRun] = {}
    last_completed: int | None = None
    # Two upstreams without a body may both lead to one task: it is sent once.
    dispatched: set[int] = set()
    has_clock = False
    waiting = deque(candidates)
    run: Run | None = None
    while waiting:
        index = waiting.popleft()
        task = plan.tasks[index]
        if index in dispatched or not await _upstreams_completed(snapshot, task.awaits, known):
            continue
        if task.is_join or task.reuses is not None:
            waiting.extend(await _complete(snapshot, index, known, cause=cause))
            last_completed = index
            continue
        own = await _put_first_attempt(snapshot, index, known, cause=cause)
        if own is not None:
            group[index] = own
            dispatched.add(index)
            has_clock = has_clock or own.is_live
        if len(group) == COMMANDS_PER_GROUP:
            run = await send_group(snapshot, group, known, cause=cause)
            group = {}
    if group:
        run = await send_group(snapshot, group, known, cause=cause)
    if last_completed is not None and not has_clock:
        await _check_after_join(snapshot.run.id, page_of(last_completed))
    return run


async def _still_waiting(
    snapshot: RunSnapshot, candidates: Sequence[int], cause: str
) -> Sequence[int]:
    if not candidates:
        return candidates
    run = await read_run(snapshot.run.id)
    # What a rerun lets wait may still be cached as completed.
    stored = await ReadTasks(run.id, tuple(candidates), fresh=run.reruns > 0)
    # A join that this very cause completed stays: it may have crashed before it continued.
    return [
        index
        for index in candidates
        if (fact := stored.get(index)) is None
        or fact.is_waiting
        or fact.cause == cause
        or is_own(fact, cause)
    ]


async def _put_first_attempt(
    snapshot: RunSnapshot, index: int, known: dict[int, TaskRun], *, cause: str
) -> TaskRun | None:
    """Return the attempt that this input puts or has put; None: it is another input's."""
    now = await Now()
    fact = begin_attempt(snapshot.plan.tasks[index], None, cause=cause, now=now)
    stored = await WriteTask(snapshot.run.id, index, fact, None)
    if stored is None:
        return fact
    return await _own_attempt(snapshot, index, stored, known, cause=cause)


async def _own_attempt(
    snapshot: RunSnapshot,
    index: int,
    stored: TaskRun,
    known: dict[int, TaskRun],
    *,
    cause: str,
) -> TaskRun | None:
    """Return the attempt that this input put, in an earlier delivery or now.

    A task that a rerun let wait is put now, if its upstreams are completed. None: the attempt is
    another input's.
    """
    while stored.is_waiting:
        if not await _upstreams_completed_now(snapshot, index, known):
            return None
        now = await Now()
        fact = begin_attempt(snapshot.plan.tasks[index], stored, cause=cause, now=now)
        conflicting = await WriteTask(snapshot.run.id, index, fact, stored)
        if conflicting is None:
            return fact
        # It may only have the end of an older attempt more, whose writer dispatches nothing.
        stored = conflicting
    return stored if is_own(stored, cause) else None


async def _upstreams_completed_now(
    snapshot: RunSnapshot, index: int, known: dict[int, TaskRun]
) -> bool:
    """Return whether the upstreams of a task of a rerun are completed, and add them to `known`.

    A rerun makes completed tasks wait again, first those that are upstream. So a completed fact
    that was read before the waiting one proves nothing.
    """
    awaits = snapshot.plan.tasks[index].awaits
    stored = await ReadTasks(snapshot.run.id, awaits, fresh=True) if awaits else {}
    if not all_completed(awaits, stored):
        return False
    known.update(stored)
    return True


async def _check_after_join(run_id: str, page: int) -> None:
    """Arm a page check if the run is failing.

    Joins and reused results have no deadline, nor has an attempt that expired before its command
    left. If nothing was dispatched beside them in a failing run, no other timer would find out that
    nothing is alive, and nothing would end the run.
    """
    run = await read_run(run_id)
    if run.failing and not run.is_over:
        await arm_page_check(run_id, page)


async def _complete(
    snapshot: RunSnapshot, index: int, known: dict[int, TaskRun], *, cause: str
) -> tuple[int, ...]:
    """Complete a join, or a task that reuses a result. Returns what may be ready after it."""
    task = snapshot.plan.tasks[index]
    now = await Now()
    fact = complete_without_body(task, None, cause=cause, now=now)
    stored = await WriteTask(snapshot.run.id, index, fact, None)
    if stored is not None and stored.is_waiting:
        if not await _upstreams_completed_now(snapshot, index, known):
            return ()
        fact = complete_without_body(task, stored, cause=cause, now=now)
        stored = await WriteTask(snapshot.run.id, index, fact, stored)
    if stored is not None and not stored.is_completed:
        return ()
    known[index] = stored or fact
    if index == snapshot.plan.target:
        await end_run(snapshot, "completed", cause=cause)
    return snapshot.plan.downstream[index]


async def put_next_attempt(
    snapshot: RunSnapshot, index: int, failed: TaskRun, *, cause: str
) -> TaskRun:
    """Put the next attempt of a task that failed. Returns the fact as it is then.

    Its command is not sent: see `send_commands`.
    """
    seen: TaskRun | None = None
    while seen is None or has_not_moved(seen, failed):
        seen = failed
        now = await Now()
        fact = begin_attempt(snapshot.plan.tasks[index], seen, cause=cause, now=now)
        conflicting = await WriteTask(snapshot.run.id, index, fact, seen)
        if conflicting is None:
            return fact
        failed = conflicting
    return failed


async def _upstreams_completed(
    snapshot: RunSnapshot, awaits: tuple[int, ...], known: dict[int, TaskRun]
) -> bool:
    # Highest index first: the last in topological order is the likeliest to be incomplete.
    for upstream in reversed(awaits):
        if upstream not in known:
            fact = await ReadTask(snapshot.run.id, upstream)
            if fact is None or not fact.is_completed:
                return False
            known[upstream] = fact
    return True
