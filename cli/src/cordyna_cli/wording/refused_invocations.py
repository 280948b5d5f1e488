"""Refused invocations: what the body of a task asked for with `ctx.invoke`, and cerebro refused."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.state_updates import InvocationRejected
from cordyna_core.contract.views.runs import PassedEvent

_SHOWN_MAX: Final = 5


def refused_invocations(events: Iterable[PassedEvent], task: str) -> tuple[str, ...]:
    """A sentence for each refused invocation by `task` among the events of its run."""
    return tuple(islice(_sentences(events, task), _SHOWN_MAX))


def _sentences(events: Iterable[PassedEvent], task: str) -> Iterator[str]:
    for event in events:
        # Most events of a run are something else, and reading them all would take long.
        if InvocationRejected.__name__ not in event.text:
            continue
        try:
            message = open_envelope(event.text).message
        except MalformedEvent:
            continue
        if isinstance(message, InvocationRejected) and message.by_task == task:
            reasons = "; ".join(problem.message for problem in message.problems)
            yield f"its invocation of {message.task} was refused: {reasons}"
