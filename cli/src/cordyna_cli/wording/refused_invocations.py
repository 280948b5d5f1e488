"""Refused invocations: what the body of a task asked for with `ctx.invoke`, and cerebro refused."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.state_updates import InvocationRejected
from cordyna_core.contract.views.runs import PassedEvent

_SHOWN_MAX: Final = 5


def refused_invocations(events: Iterable[PassedEvent], task: str | None) -> tuple[str, ...]:
    """Return a sentence for each refused invocation of the run with `events`.

    By `task`, or by any task.

    At most five.
    """
    return tuple(islice(_sentences(events, task), _SHOWN_MAX))


def _sentences(events: Iterable[PassedEvent], task: str | None) -> Iterator[str]:
    for event in events:
        # Most events of a run are something else, and reading them all would take long.
        if InvocationRejected.__name__ not in event.text:
            continue
        try:
            message = open_envelope(event.text).message
        except MalformedEvent:
            continue
        if not isinstance(message, InvocationRejected) or message.by_task is None:
            continue
        if task in (None, message.by_task):
            whose = "its invocation" if task else f"{message.by_task}'s invocation"
            reasons = "; ".join(problem.message for problem in message.problems)
            yield f"{whose} of {message.task} was refused: {reasons}"
