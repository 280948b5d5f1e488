"""Dispatch: sends a task run's next attempt to its server once every upstream has completed.

Theory of operation. A fact is written before anything follows from it, in a fixed order:

    put     write the fact (attempt n, PENDING, its deadline, `cause` = the id of this input)
    arm     make sure that a timer of its page is due by the deadline (see page_timers.py)
    check   read the run: if it was cancelled meanwhile, cancel instead of sending
    send    publish RunTask, unless a rerun has overtaken the attempt

A crash may come after any of these. The input is then delivered again and finds its own fact by its
`cause`, and it does the rest again; `RunTask` has a derived id, and a server runs an attempt once.
If that is late, the clock of the attempt starts again with its command (see own_attempts.py).
Any other input that finds the fact does nothing: so a command is sent by one input only, and not by
each one that notices that the upstreams have completed.

No wake-up can be lost between two upstreams that complete at the same time. Each writes its own
fact before it reads the others', so the one that writes last sees all of them completed. Both may
see it; then the conditional put of the downstream's first fact lets one of them win.

A fact's clock starts when it is put, so its command must follow at once: commands leave in groups
of ten, as PutEvents takes them, while the fan-out continues. What is wider than FAN_OUT_WIDTH
continues in messages of its own, each of which is sent before its predecessor dispatches.

Joins and reused results have no body: they complete here, and the fan-out continues from them.

If tasks of the run ran again, the upstreams and the fact are read once more before the command
leaves. If an upstream waits, or a later attempt has begun, a rerun has overtaken the attempt.

Invariant: put, arm, check, send. Only the input that caused a fact sends its command
(docs/rules.md, rule 2).
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from cerebro.core.effects import (
    FanOut,
    Now,
    PageTimer,
    Publish,
    ReadOutputs,
    ReadTask,
    ReadTasks,
    SendFanOut,
    SendPageTimer,
    WriteTask,
)
from cerebro.core.messages import cancel_task, run_task
from cerebro.core.model.plan import page_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun, all_completed
from cerebro.core.run.cancellation import cancel_facts
from cerebro.core.run.own_attempts import is_late, is_own, with_running_clock
from cerebro.core.run.page_timers import arm_page_check, arm_page_timer
from cerebro.core.run.run_access import read_run
from cerebro.core.run.run_status import end_run
from cerebro.core.run.transitions import begin_attempt, complete_without_body, has_not_moved
from cordyna_core.contract.base import Message

FAN_OUT_WIDTH: Final = 250
"""Downstream tasks examined for one message; the others follow in messages of their own."""

COMMANDS_PER_GROUP: Final = 10
"""Commands that leave together; PutEvents takes at most ten entries."""


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
            run = await _send_group(snapshot, group, known, cause=cause)
            group = {}
    if group:
        run = await _send_group(snapshot, group, known, cause=cause)
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


async def send_commands(snapshot: RunSnapshot, facts: Mapping[int, TaskRun], *, cause: str) -> None:
    """Arm, check and send for facts that this input put, now or in an earlier delivery.

    If the run was cancelled, the facts are cancelled instead.
    """
    items = list(facts.items())
    for start in range(0, len(items), COMMANDS_PER_GROUP):
        group = dict(items[start : start + COMMANDS_PER_GROUP])
        await _send_group(snapshot, group, {}, cause=cause)


async def _send_group(
    snapshot: RunSnapshot, facts: dict[int, TaskRun], known: dict[int, TaskRun], *, cause: str
) -> Run:
    """Arm, check and send. Returns the run as the check read it."""
    run_id = snapshot.run.id
    facts = await _with_running_clocks(snapshot, facts, cause=cause)
    for page, due in _earliest_deadlines(facts.items()).items():
        await _arm_dispatch(snapshot, facts, page, due)
    run = await read_run(run_id)
    if run.status == "cancelled":
        await cancel_facts(snapshot, facts, cause=cause)
        return run
    if run.reruns:
        facts, known = await _not_overtaken(snapshot, facts)
    outputs = await _upstream_outputs(snapshot, facts, known)
    now = await Now()
    messages: list[Message] = []
    for index, fact in facts.items():
        if fact.attempt > 1:
            # The attempt before may still be under way: its server is asked to stop it.
            before = fact.attempt - 1
            messages.append(cancel_task(snapshot, index, before, cause=fact.cause, now=now))
        messages.append(run_task(snapshot, index, fact, outputs, now=now))
    if messages:
        await Publish(tuple(messages))
    return run


async def _not_overtaken(
    snapshot: RunSnapshot, facts: dict[int, TaskRun]
) -> tuple[dict[int, TaskRun], dict[int, TaskRun]]:
    """Return those facts that no rerun has overtaken, and their upstreams as they are now.

    A completed fact that was read, or cached, before the rerun has an older output. If an upstream
    waits again, the rerun is about to begin the next attempt, or has begun it (see rerun.py).
    """
    tasks = snapshot.plan.tasks
    upstreams = {upstream for index in facts for upstream in tasks[index].upstream}
    stored = await ReadTasks(snapshot.run.id, tuple(sorted(upstreams | facts.keys())), fresh=True)
    current = {
        index: fact
        for index, fact in facts.items()
        if all_completed(tasks[index].upstream, stored) and stored[index].attempt == fact.attempt
    }
    return current, stored


async def _with_running_clocks(
    snapshot: RunSnapshot, facts: dict[int, TaskRun], *, cause: str
) -> dict[int, TaskRun]:
    """Return those facts whose commands may leave now."""
    now, tasks = await Now(), snapshot.plan.tasks
    if not any(is_late(tasks[index], fact, now) for index, fact in facts.items()):
        return facts
    running: dict[int, TaskRun] = {}
    for index, fact in facts.items():
        own = await with_running_clock(snapshot, index, fact, cause=cause)
        if own is not None:
            running[index] = own
    return running


async def _arm_dispatch(
    snapshot: RunSnapshot, facts: Mapping[int, TaskRun], page: int, due: float
) -> None:
    """Arm the page of what is dispatched.

    The timer of the first attempt in a run of one task is not recorded: no other dispatch could
    share it. (Its updates infer it: see task_updates.py.) So it may be dropped once the run has
    completed: a rerun dispatches another attempt, and arms that.
    """
    now = await Now()
    if snapshot.plan.size == 1 and facts[0].attempt == 1 and due > now:
        await SendPageTimer(PageTimer(snapshot.run.id, page, due, is_shared=False))
    else:
        await arm_page_timer(snapshot.run.id, page, due)


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


def _earliest_deadlines(facts: Iterable[tuple[int, TaskRun]]) -> dict[int, float]:
    """Return the earliest deadline of each page."""
    earliest: dict[int, float] = {}
    for index, fact in facts:
        if fact.deadline is not None:
            page = page_of(index)
            earliest[page] = min(fact.deadline, earliest.get(page, fact.deadline))
    return earliest


async def _upstream_outputs(
    snapshot: RunSnapshot, facts: Mapping[int, TaskRun], known: dict[int, TaskRun]
) -> dict[int, Any]:
    tasks = snapshot.plan.tasks
    upstreams = sorted({upstream for index in facts for upstream in tasks[index].upstream})
    missing = tuple(index for index in upstreams if index not in known)
    if missing:
        known.update(await ReadTasks(snapshot.run.id, missing))
    outputs: dict[int, Any] = {index: known[index].output for index in upstreams if index in known}
    refs = {index: ref for index in outputs if (ref := known[index].output_ref) is not None}
    if refs:
        outputs.update(await ReadOutputs(snapshot.run.id, refs))
    return outputs
