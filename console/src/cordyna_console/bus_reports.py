"""Reports: what passed the bus and is kept nowhere else: answers to declarations, missed ticks.

Invariant: the events of a home are read once; each look reads on where the last one ended.
"""

import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from cordyna_cli.engine import Engine
from cordyna_console.catalog_models import LastAcceptance, LastRejection
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.incidents import IncidentClosed
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationRejected,
    InvocationRejected,
)

EVENTS_PER_READ: Final = 2_000
TICKS_KEPT: Final = 200

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|\+00:00)")
"""As cerebro writes a tick, and as it wrote it before: a home keeps its events."""

TICK_CODES: Final[Mapping[str, Literal["missed", "skipped"]]] = {
    "missed_tick": "missed",
    "overlap_skipped": "skipped",
}
"""Code of a problem -> what became of a tick."""

_MENTIONED: Final = (
    "DeclarationAccepted",
    "DeclarationRejected",
    "IncidentClosed",
    "InvocationRejected",
)


@dataclass(frozen=True, slots=True)
class TickReport:
    """Why the ticks of a cron from `at` to `until` began no run."""

    at: datetime
    until: datetime
    outcome: Literal["missed", "skipped"]
    text: str


@dataclass(slots=True)
class BusReports:
    """By server its last rejection and acceptance, by task its last ticks without a run."""

    rejections: dict[str, LastRejection] = field(default_factory=dict)
    acceptances: dict[str, LastAcceptance] = field(default_factory=dict)
    ticks: dict[str, deque[TickReport]] = field(default_factory=dict)
    _until: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read_on(self, engine: Engine) -> None:
        """Take in what has passed since the last look."""
        with self._lock:
            while events := engine.events(after=self._until, limit=EVENTS_PER_READ):
                for passed in events:
                    if any(name in passed.text for name in _MENTIONED):
                        self._note(passed.text)
                self._until = events[-1].seq

    def _note(self, text: str) -> None:
        try:
            envelope = open_envelope(text)
        except MalformedEvent:
            return
        message = envelope.message
        if isinstance(message, DeclarationAccepted):
            self.rejections.pop(message.server, None)
            self.acceptances[message.server] = LastAcceptance(
                at=envelope.time, generation=message.generation
            )
        elif isinstance(message, DeclarationRejected):
            rejection = LastRejection(at=envelope.time, problems=message.problems)
            self.rejections[message.server] = rejection
        elif isinstance(message, IncidentClosed) and message.kind == "rejected_declaration":
            # What was accepted before and is declared anew is accepted without an answer.
            self.rejections.pop(message.server or "", None)
        elif isinstance(message, InvocationRejected):
            self._note_ticks(message, envelope.time)

    def _note_ticks(self, message: InvocationRejected, at: datetime) -> None:
        for problem in message.problems:
            outcome = TICK_CODES.get(problem.code)
            if outcome is not None:
                kept = self.ticks.setdefault(message.task, deque(maxlen=TICKS_KEPT))
                # Cerebro names the first and the last tick; of another message, its own time.
                named = [datetime.fromisoformat(text) for text in _MOMENT.findall(problem.message)]
                kept.append(
                    TickReport(
                        min(named, default=at), max(named, default=at), outcome, problem.message
                    )
                )
