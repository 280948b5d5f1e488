"""Overdue check: decides what was overdue on a page, behind the updates that were already waiting.

The timer of a page only notes when it found something overdue (`asked_at`) and sends this check
through the tracker's queue. Every update that was sent before it is handled before it, as long as
the queue keeps its order. A check that had to wait itself passed a backlog, in which updates may
have been overtaken; it goes to the end of the queue again, at most TURNS_MAX times.

It judges by `asked_at`, not by when it is handled: what became overdue since then is for the next
check. Its parts and turns have one id, so each repeats the effects that an earlier one did not
finish.

Invariant: cerebro's own delay expires no clock (docs/rules.md, rule 17).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from cerebro.core.effects import NoteMissedAck, Now, Publish, ReadPage, ReadRun, SendOverdueCheck
from cerebro.core.internal_messages import OverdueCheck
from cerebro.core.messages import cerebro_state_changes
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import FAILED_RANKS, Rank, TaskRun
from cerebro.core.run.cancellation import cancel_live
from cerebro.core.run.command_groups import COMMANDS_PER_GROUP, send_commands
from cerebro.core.run.dispatch import put_next_attempt
from cerebro.core.run.new_facts import expire
from cerebro.core.run.own_attempts import is_own
from cerebro.core.run.page_timers import arm_page_check, arm_page_timer
from cerebro.core.run.run_access import read_snapshot, write_task
from cerebro.core.run.run_status import announce_failure
from cerebro.core.run.transitions import has_not_moved
from cordyna_core.contract.base import Message

REQUEUED_AFTER_S: Final = 1.0
"""A check that was under way for longer than this goes to the end of the queue again."""

TURNS_MAX: Final = 2

DECISIONS_PER_CHECK: Final = 25
"""Task runs decided by one message; the others follow in a message of their own."""


async def on_overdue_check(check: OverdueCheck) -> None:
    """Expire the clocks and dispatch the retries that were due when the check was asked for."""
    now = await Now()
    if check.turn < TURNS_MAX and now - check.sent_at > REQUEUED_AFTER_S:
        await SendOverdueCheck(replace(check, sent_at=now, turn=check.turn + 1))
        return
    run = await ReadRun(check.run_id)
    if run is None:
        return
    snapshot = await read_snapshot(check.run_id)
    facts = await ReadPage(check.run_id, check.page)
    if run.status in ("completed", "cancelled"):
        await _publish_expiries(snapshot, check, _own_expiries(facts, check))
        if run.status == "cancelled":
            await cancel_live(snapshot, [check.page], cause=check.id)
        return
    concerned = sorted(
        index
        for index, fact in facts.items()
        if index >= check.start
        and (_is_overdue(fact, check) or fact.cause == check.id or is_own(fact, check.id))
    )
    if len(concerned) > DECISIONS_PER_CHECK:
        rest = concerned[DECISIONS_PER_CHECK]
        await SendOverdueCheck(replace(check, sent_at=now, turn=TURNS_MAX, start=rest))
    decided = {index: facts[index] for index in concerned[:DECISIONS_PER_CHECK]}
    await _expire_clocks(snapshot, check, decided)
    await _dispatch_retries(snapshot, check, decided)


def _is_overdue(fact: TaskRun, check: OverdueCheck) -> bool:
    return fact.deadline is not None and fact.deadline <= check.asked_at


async def _expire_clocks(
    snapshot: RunSnapshot, check: OverdueCheck, facts: dict[int, TaskRun]
) -> None:
    """Expire what is overdue and publish it, also what an earlier delivery expired."""
    for index, fact in facts.items():
        if _is_overdue(fact, check) and not fact.waits_for_retry:
            facts[index] = await _expire(snapshot, index, fact, cause=check.id)
    expired = _own_expiries(facts, check)
    if expired:
        await _publish_expiries(snapshot, check, expired)
        await _guard(snapshot, check, expired)


def _own_expiries(facts: Mapping[int, TaskRun], check: OverdueCheck) -> dict[int, TaskRun]:
    """Return what this check expired, now or in an earlier delivery."""
    return {
        index: fact
        for index, fact in facts.items()
        if fact.cause == check.id and fact.rank in FAILED_RANKS
    }


async def _publish_expiries(
    snapshot: RunSnapshot, check: OverdueCheck, expired: Mapping[int, TaskRun]
) -> None:
    if not expired:
        return
    tasks = snapshot.plan.tasks
    now = await Now()
    silent = {tasks[i].server for i, fact in expired.items() if fact.rank == Rank.ACK_TIMEOUT}
    for server in sorted(silent):
        await NoteMissedAck(server, now)
    messages: list[Message] = []
    for index, fact in expired.items():
        messages += cerebro_state_changes(snapshot, index, fact, cause=check.id)
    await Publish(tuple(messages))


async def _expire(snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str) -> TaskRun:
    """Expire a clock. Returns the fact as it is then; if it moved, its writer guards it."""
    task = snapshot.plan.tasks[index]
    seen: TaskRun | None = None
    while seen is None or has_not_moved(seen, fact):
        seen = fact
        now = await Now()
        new = expire(task, seen, run_id=snapshot.run.id, cause=cause, now=now)
        conflicting = await write_task(snapshot.run.id, index, new, seen)
        if conflicting is None:
            return new
        fact = conflicting
    return fact


async def _guard(snapshot: RunSnapshot, check: OverdueCheck, expired: dict[int, TaskRun]) -> None:
    """Mark the run as failing if one failed permanently, and arm what is due next."""
    failed = [index for index, fact in expired.items() if fact.failed_permanently]
    if failed:
        await announce_failure(snapshot, failed[0], expired[failed[0]], cause=check.id)
        await arm_page_check(check.run_id, check.page)
    retries = [fact.deadline for fact in expired.values() if fact.deadline is not None]
    if retries:
        await arm_page_timer(check.run_id, check.page, min(retries))


async def _dispatch_retries(
    snapshot: RunSnapshot, check: OverdueCheck, facts: Mapping[int, TaskRun]
) -> None:
    """Dispatch what has waited for its retry, also what an earlier delivery dispatched."""
    sent: dict[int, TaskRun] = {}
    for index, fact in facts.items():
        new = fact
        if _is_overdue(fact, check) and fact.waits_for_retry:
            new = await put_next_attempt(snapshot, index, fact, cause=check.id)
        if is_own(new, check.id):
            sent[index] = new
        if len(sent) == COMMANDS_PER_GROUP:
            await send_commands(snapshot, sent, cause=check.id)
            sent = {}
    if sent:
        await send_commands(snapshot, sent, cause=check.id)
