"""Cancellation: what is live in a cancelled run ends, and its servers are told to stop.

Invariant: a cancellation is final. A handler that finds something live in a cancelled run cancels
it, because the handler that wrote it may have crashed before it saw that the run was cancelled.
"""

from collections.abc import Iterable, Mapping

from cerebro.core.effects import Now, Publish, ReadPage
from cerebro.core.messages import cancellation_messages
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.new_facts import cancel_task_run
from cerebro.core.run.run_access import write_task
from cordyna_core.contract.base import Message


async def cancel_live(snapshot: RunSnapshot, pages: Iterable[int], *, cause: str) -> None:
    """Cancel what is live on these pages and publish it; the same cause publishes it again."""
    for page in sorted(pages, reverse=True):
        facts = await ReadPage(snapshot.run.id, page)
        await cancel_facts(snapshot, facts, cause=cause)


async def cancel_facts(snapshot: RunSnapshot, facts: Mapping[int, TaskRun], *, cause: str) -> None:
    """Cancel those of `facts` that are live and publish it; the same cause publishes it again."""
    messages: list[Message] = []
    for index, stored in sorted(facts.items()):
        fact = stored
        while fact.is_live:
            now = await Now()
            cancelled = cancel_task_run(fact, cause=cause, now=now)
            conflicting = await write_task(snapshot.run.id, index, cancelled, fact)
            fact = cancelled if conflicting is None else conflicting
        if fact.rank == Rank.CANCELLED and fact.cause == cause:
            now = await Now()
            messages.extend(cancellation_messages(snapshot, index, fact, cause=cause, now=now))
    if messages:
        await Publish(tuple(messages))
