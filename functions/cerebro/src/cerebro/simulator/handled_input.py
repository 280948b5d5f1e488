"""Handled input: what a handler is working on, as the checks of a world see it."""

from typing import Any

from cerebro.core.effects import FanOut, OverdueCheck, PageTimer, Tick
from cerebro.core.graph.graph import Graph
from cerebro.core.model import CachedResult, Run, TaskRun
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import derived_id


class HandledInput:
    """One message that a handler is performing.

    `clocks`, `graph` and `cached_results` (by task) are what its program read so far,
    `lost_outputs` the tasks whose stored output it did not find, `published` what it put on the
    bus, `checks` the overdue checks that it sent. `run_before` and `facts_before` are what was
    stored of its run when its program began.
    """

    __slots__ = (
        "cached_results",
        "cause",
        "checks",
        "clocks",
        "facts_before",
        "graph",
        "key",
        "lost_outputs",
        "message",
        "published",
        "run_before",
    )

    def __init__(self, message: Any, key: str) -> None:
        self.message, self.key = message, key
        self.cause = _cause_of(message)
        self.clocks: list[float] = []
        self.cached_results: dict[str, CachedResult | None] = {}
        self.graph: Graph | None = None
        self.lost_outputs: set[str] = set()
        self.checks: list[OverdueCheck] = []
        self.published: list[Message] = []
        self.run_before: Run | None = None
        self.facts_before: dict[int, TaskRun] = {}

    @property
    def clock(self) -> float:
        """The last clock reading."""
        return self.clocks[-1]


def _cause_of(message: Any) -> str:
    """What facts that are written for this message name as their cause."""
    match message:
        case Envelope():
            command = message.message
            if isinstance(command, CancelRun | RetryRun):
                command_id = command.command_id or message.id
                return derived_id(type(command).__name__, command.run_id, command_id)
            return message.id
        case PageTimer() | OverdueCheck():
            return message.id
        case FanOut():
            return message.cause
        case Tick():
            return derived_id("tick", message.task, str(message.nominal))
    return ""
