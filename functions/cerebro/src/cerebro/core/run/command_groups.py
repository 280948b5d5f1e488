"""Command groups: commands that leave together, up to ten of them, as PutEvents takes them.

The facts were put by the caller (see dispatch.py). A group is armed, checked and sent: a timer of
each page is due by the earliest deadline; the run is read, and if it was cancelled, the facts are
cancelled instead; then RunTask is published.

If tasks of the run ran again, the upstreams and the fact are read once more before the command
leaves. If an upstream waits, or a later attempt has begun, a rerun has overtaken the attempt.

Invariant: no command leaves before its timer is armed, and before the run was read after that.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cerebro.core.effects import Now, Publish, ReadOutputs, ReadTasks, SendPageTimer
from cerebro.core.internal_messages import PageTimer
from cerebro.core.messages import cancel_task, run_task
from cerebro.core.model.plan import page_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun, all_completed
from cerebro.core.run.cancellation import cancel_facts
from cerebro.core.run.own_attempts import is_late, with_running_clock
from cerebro.core.run.page_timers import arm_page_timer
from cerebro.core.run.run_access import read_run
from cordyna_core.contract.base import Message

COMMANDS_PER_GROUP: Final = 10
"""Commands that leave together; PutEvents takes at most ten entries."""


async def send_commands(snapshot: RunSnapshot, facts: Mapping[int, TaskRun], *, cause: str) -> None:
    """Arm, check and send for facts that this input put, now or in an earlier delivery.

    If the run was cancelled, the facts are cancelled instead.
    """
    items = list(facts.items())
    for start in range(0, len(items), COMMANDS_PER_GROUP):
        group = dict(items[start : start + COMMANDS_PER_GROUP])
        await send_group(snapshot, group, {}, cause=cause)


async def send_group(
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


def _earliest_deadlines(facts: Iterable[tuple[int, TaskRun]]) -> dict[int, float]:
    """Return the earliest deadline of each page."""
    earliest: dict[int, float] = {}
    for index, fact in facts:
        if fact.deadline is not None:
            page = page_of(index)
            earliest[page] = min(fact.deadline, earliest.get(page, fact.deadline))
    return earliest


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
