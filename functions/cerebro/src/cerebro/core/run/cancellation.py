"""Cancel: what is live in a cancelled run ends, and its servers are told to stop.

Law: a cancellation is final. Whoever finds something live in a cancelled run cancels it, because whoever put it there may
have crashed before it saw that the run was cancelled.
"""

from collections.abc import Iterable

from cerebro.core.effects import Now, Publish, ReadPage
from cerebro.core.messages import cancellation_messages
from cerebro.core.model import Rank, RunSnapshot, TaskRun
from cerebro.core.run.run_access import write_task
from cerebro.core.run.transitions import cancel_task_run
from cordyna_core.contract.base import Message


async def cancel_live(snapshot: RunSnapshot, pages: Iterable[int], *, cause: str) -> None:
    """Cancel what is live on these pages, and say so; the same cause says it again."""
    for page in sorted(pages, reverse=True):
        facts = await ReadPage(snapshot.run.id, page)
        messages: list[Message] = []
        for index, seen in sorted(facts.items()):
            fact: TaskRun = seen
            while fact.is_live:
                now = await Now()
                new = cancel_task_run(fact, cause=cause, now=now)
                there = await write_task(snapshot.run.id, index, new, fact)
                fact = new if there is None else there
            if fact.rank == Rank.CANCELLED and fact.cause == cause:
                now = await Now()
                messages.extend(cancellation_messages(snapshot, index, fact, cause=cause, now=now))
        if messages:
            await Publish(tuple(messages))
