"""Handled input: what a handler is working on, as the checks of a world see it.

Invariant: it notes what a program read, wrote and sent; it judges nothing, and changes nothing.
"""

from dataclasses import dataclass, field
from typing import Any

from cerebro.core.graph.graph import Graph
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer, Tick
from cerebro.core.model.plan import CachedResult
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import TaskRun
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.state_updates import InvocationRejected


@dataclass(frozen=True, slots=True)
class Observed:
    """An event that cerebro published itself: it changes no run, and no server sent it."""

    envelope: Envelope


@dataclass(slots=True)
class HandledInput:
    """One message that a handler is performing.

    Its program read `clocks`, `graph`, `runs_read`, `cached_results` (by task) and `last_tick`,
    and did not find the stored outputs of `lost_outputs`. It wrote `facts_written` (index,
    before, after), `results_written` (tasks), and perhaps the graph's head. It noted a sign of
    life of `noted_servers` and that of `silent_servers` a command was not acknowledged. It sent
    `checks`, `fan_outs` and `published`, and saw to it that there are timers for `armed_pages`.
    `run_before` and `facts_before` are what was stored of its run when it began.
    """

    message: Any
    key: str
    run_id: str = ""
    """The run that the message changes, if it is known from the message alone."""
    run_before: Run | None = None
    facts_before: dict[int, TaskRun] = field(default_factory=dict)
    clocks: list[float] = field(default_factory=list)
    graph: Graph | None = None
    graph_after: Graph | None = None
    """What was read after it wrote the head, whose answer was lost."""
    facts_read: dict[tuple[str, int], TaskRun | None] = field(default_factory=dict)
    """The stored facts that it read last, or that a write of it returned, by (run, index)."""
    runs_read: dict[str, Run | None] = field(default_factory=dict)
    runs_seen: list[Run] = field(default_factory=list)
    """Every state of a run that it read or wrote, in this order."""
    cached_results: dict[str, CachedResult | None] = field(default_factory=dict)
    results_read_at: float = 0.0
    """Its last clock reading before it read the first of them."""
    last_tick: float | None = None
    crons_applied: int | None = None
    """The generation of the graph whose crons were made."""
    lost_outputs: set[str] = field(default_factory=set)
    facts_written: list[tuple[int, TaskRun | None, TaskRun]] = field(default_factory=list)
    results_written: set[str] = field(default_factory=set)
    noted_servers: set[str] = field(default_factory=set)
    silent_servers: set[str] = field(default_factory=set)
    armed_pages: set[int] = field(default_factory=set)
    has_set_failing: bool = False
    has_reopened: bool = False
    has_created_run: bool = False
    has_written_head: bool = False
    checks: list[OverdueCheck] = field(default_factory=list)
    fan_outs: list[FanOut] = field(default_factory=list)
    published: list[Message] = field(default_factory=list)

    def note_run(self, run_id: str, run: Run | None) -> None:
        """Note a run as it was just read or written; after a refusal it decides nothing."""
        if not any(isinstance(message, InvocationRejected) for message in self.published):
            self.runs_read[run_id] = run
        if run is not None:
            self.runs_seen.append(run)

    @property
    def cause(self) -> str:
        """What facts that are written for this message name as their cause."""
        return _cause_of(self.message)

    @property
    def clock(self) -> float:
        """The last clock reading."""
        return self.clocks[-1]


def _cause_of(message: Any) -> str:
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
