"""Cancel: what is live in a cancelled run ends, and its servers are told to stop.

Law: a cancellation is final. Whoever finds something live in a cancelled run cancels it, because whoever put it there may
have crashed before it saw that the run was cancelled.
"""

from collections.abc import Iterable

from cerebro.core.effects import Now, Program, Publish, ReadPage
from cerebro.core.hear import write_task
from cerebro.core.model import Pinned, Rank, TaskRun
from cerebro.core.say import say_cancelled
from cerebro.core.track import cancelled
from cordyna_core.contract.message import Message


def cancel_live(pinned: Pinned, pages: Iterable[int], *, cause: str) -> Program:
    """Cancel what is live on these pages, and say so; the same cause says it again."""
    for page in sorted(pages, reverse=True):
        facts: dict[int, TaskRun] = yield ReadPage(pinned.run.id, page)
        messages: list[Message] = []
        for index, seen in sorted(facts.items()):
            fact: TaskRun = seen
            while fact.is_live:
                now = yield Now()
                new = cancelled(fact, cause=cause, now=now)
                there = yield from write_task(pinned.run.id, index, new, fact)
                fact = new if there is None else there
            if fact.rank == Rank.CANCELLED and fact.cause == cause:
                now = yield Now()
                messages.extend(say_cancelled(pinned, index, fact, cause=cause, now=now))
        if messages:
            yield Publish(tuple(messages))
