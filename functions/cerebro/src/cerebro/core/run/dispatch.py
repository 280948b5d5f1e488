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

What one message dispatches is in fan_out.py. Joins and reused results have no body: they complete
here, and the fan-out continues from them.

Invariant: put, arm, check, send. Only the input that caused a fact sends its command
(docs/rules.md, rule 2).
"""

from cerebro.core.effects import Now, ReadTask, ReadTasks, WriteTask
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import TaskRun, all_completed
from cerebro.core.run.new_facts import begin_attempt, complete_without_body
from cerebro.core.run.own_attempts import is_own
from cerebro.core.run.run_status import end_run
from cerebro.core.run.transitions import has_not_moved


async def put_first_attempt(
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


async def complete_at_once(
    snapshot: RunSnapshot, index: int, known: dict[int, TaskRun], *, cause: str
) -> bool:
    """Complete a join, or a task that reuses a result. Returns whether it is completed now."""
    task = snapshot.plan.tasks[index]
    now = await Now()
    fact = complete_without_body(task, None, cause=cause, now=now)
    stored = await WriteTask(snapshot.run.id, index, fact, None)
    if stored is not None and stored.is_waiting:
        if not await _upstreams_completed_now(snapshot, index, known):
            return False
        fact = complete_without_body(task, stored, cause=cause, now=now)
        stored = await WriteTask(snapshot.run.id, index, fact, stored)
    if stored is not None and not stored.is_completed:
        return False
    known[index] = stored or fact
    if index == snapshot.plan.target:
        await end_run(snapshot, "completed", cause=cause)
    return True


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


async def upstreams_completed(
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
