"""Event log: the events of a home, the output of its tasks, its inbox, and its dead letters.

Invariant: events are stored in the order in which they passed, under numbers that are never used
again. An event leaves the inbox in the transaction that processes it.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, Literal, Protocol

from cordyna_core.contract.time import utc
from cordyna_core.contract.views.runs import LogLine, PassedEvent

Stream = Literal["stdout", "stderr", "log", "shared"]

_OF_INCIDENT: Final = '"Incident'

LOG_PAGE_ROWS: Final = 200
"""Rows of a log that are read at once."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of one attempt's output as it was received; stored as one row."""

    run_id: str
    task: str
    attempt: int
    at: float
    stream: Stream
    text: str


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk with its number in the order of arrival."""

    seq: int
    chunk: LogChunk


class LineAssembler:
    """Makes lines of chunks. A chunk may begin and end within a line of its stream."""

    def __init__(self) -> None:
        self._unfinished: dict[tuple[str, str, int, Stream], list[str]] = {}
        self._grown_at: dict[tuple[str, str, int, Stream], float] = {}

    def feed(self, chunk: LogChunk) -> Iterator[LogLine]:
        """Yield the lines that this chunk completes."""
        key = (chunk.run_id, chunk.task, chunk.attempt, chunk.stream)
        *whole, rest = chunk.text.split("\n")
        at = utc(chunk.at)
        for text in whole:
            begun = self._unfinished.pop(key, None)
            self._grown_at.pop(key, None)
            yield _line(key, at, text if begun is None else "".join((*begun, text)))
        if rest:
            self._unfinished.setdefault(key, []).append(rest)
            self._grown_at[key] = chunk.at

    def rest(self, at: float) -> Iterator[LogLine]:
        """Yield the lines that have no newline yet."""
        for key, pieces in self._unfinished.items():
            yield _line(key, utc(at), "".join(pieces))
        self._unfinished.clear()
        self._grown_at.clear()

    def rest_before(self, moment: float) -> Iterator[LogLine]:
        """Yield the lines that have no newline, and have not grown since then (UTC seconds)."""
        for key in [key for key, at in self._grown_at.items() if at < moment]:
            yield _line(key, utc(self._grown_at.pop(key)), "".join(self._unfinished.pop(key)))


def _line(key: tuple[str, str, int, Stream], at: datetime, text: str) -> LogLine:
    run_id, task, attempt, stream = key
    return LogLine.model_construct(
        run_id=run_id, task=task, attempt=attempt, at=at, stream=stream, text=text
    )


class EventLog(Protocol):
    """Stored beside the facts, in the same transactions."""

    def append(self, run_id: str | None, event: str, at: float) -> None: ...
    def events(self, run_id: str | None, after: int, limit: int | None = None) -> list[PassedEvent]:
        """Return events with a number above `after`, in order; of them the first `limit`."""
        ...

    def texts_of(self, run_id: str, after: int) -> list[str]:
        """Return the texts of what `events` returns for a run.

        That takes a fraction of the time of views of them.
        """
        ...

    def last_seq(self) -> int: ...
    def incident_events(self, after: int) -> list[PassedEvent]:
        """Return at least every event about an incident with a number above `after`."""
        ...

    def append_log_chunks(self, chunks: Sequence[LogChunk]) -> None: ...
    def log_chunks(
        self, run_id: str | None, task: str | None, after: int, limit: int
    ) -> list[StoredChunk]:
        """Return at most `limit` chunks with a number above `after`, in the order of arrival."""
        ...

    def last_log_seq(self) -> int: ...

    def put_inbox(self, events: Sequence[str]) -> None: ...
    def has_inbox(self) -> bool: ...
    def withdraw(self, event: str) -> bool:
        """Remove an event from the inbox. Returns whether it was still there."""
        ...

    def drain_inbox(self, limit: int) -> list[str]:
        """Remove and return the first `limit` events of the inbox."""
        ...

    def add_waiter(self, run_id: str) -> None:
        """Note that a client waits for the end of this run."""
        ...

    def awaited_runs(self) -> list[str]:
        """Runs with an un-notified waiter, oldest first."""
        ...

    def remove_waiter(self, run_id: str) -> None: ...

    def add_dead_letter(self, event: str, reason: str, at: float) -> None:
        """Keep a message that cannot be handled. The same message is kept once."""
        ...

    def dead_letters(self) -> list[tuple[str, str]]:
        """Return the messages with their reasons, oldest first."""
        ...

    def drain_dead_letters(self, only: Collection[str] | None = None) -> list[str]:
        """Remove and return all of them, or only those of these messages."""
        ...


class MemoryEventLog:
    """Implements EventLog for the life of the process."""

    def __init__(self) -> None:
        self._events: list[tuple[int, str | None, float, str]] = []
        self._last_seq = 0
        self._chunks: list[StoredChunk] = []
        self._last_log_seq = 0
        self._inbox: list[str] = []
        self._dead_letters: dict[str, str] = {}
        self._awaited: dict[str, None] = {}

    def append(self, run_id: str | None, event: str, at: float) -> None:
        self._last_seq += 1
        self._events.append((self._last_seq, run_id, at, event))

    def events(self, run_id: str | None, after: int, limit: int | None = None) -> list[PassedEvent]:
        start = bisect_right(self._events, after, key=lambda entry: entry[0])
        matching = (
            PassedEvent(seq=seq, text=event)
            for seq, of_run, _, event in self._events[start:]
            if run_id in (None, of_run)
        )
        return list(islice(matching, limit))

    def texts_of(self, run_id: str, after: int) -> list[str]:
        start = bisect_right(self._events, after, key=lambda entry: entry[0])
        return [event for _, of_run, _, event in self._events[start:] if of_run == run_id]

    def last_seq(self) -> int:
        return self._last_seq

    def incident_events(self, after: int) -> list[PassedEvent]:
        return [event for event in self.events(None, after) if _OF_INCIDENT in event.text]

    def append_log_chunks(self, chunks: Sequence[LogChunk]) -> None:
        for chunk in chunks:
            self._last_log_seq += 1
            self._chunks.append(StoredChunk(self._last_log_seq, chunk))

    def log_chunks(
        self, run_id: str | None, task: str | None, after: int, limit: int
    ) -> list[StoredChunk]:
        start = bisect_right(self._chunks, after, key=lambda stored: stored.seq)
        matching = (
            stored
            for stored in self._chunks[start:]
            if run_id in (None, stored.chunk.run_id) and task in (None, stored.chunk.task)
        )
        return list(islice(matching, limit))

    def last_log_seq(self) -> int:
        return self._last_log_seq

    def put_inbox(self, events: Sequence[str]) -> None:
        self._inbox.extend(events)

    def has_inbox(self) -> bool:
        return bool(self._inbox)

    def withdraw(self, event: str) -> bool:
        before = len(self._inbox)
        self._inbox = [other for other in self._inbox if other != event]
        return len(self._inbox) < before

    def drain_inbox(self, limit: int) -> list[str]:
        drained, self._inbox = self._inbox[:limit], self._inbox[limit:]
        return drained

    def add_waiter(self, run_id: str) -> None:
        self._awaited[run_id] = None

    def awaited_runs(self) -> list[str]:
        return list(self._awaited)

    def remove_waiter(self, run_id: str) -> None:
        self._awaited.pop(run_id, None)

    def add_dead_letter(self, event: str, reason: str, at: float) -> None:
        del at
        self._dead_letters[event] = reason

    def dead_letters(self) -> list[tuple[str, str]]:
        return list(self._dead_letters.items())

    def drain_dead_letters(self, only: Collection[str] | None = None) -> list[str]:
        events = [event for event in self._dead_letters if only is None or event in only]
        for event in events:
            del self._dead_letters[event]
        return events

    def roll_back(self, seq: int) -> None:
        """Remove the events above this number, which is not used again."""
        del self._events[bisect_right(self._events, seq, key=lambda entry: entry[0]) :]

    def prune(self, run_ids: frozenset[str], before: float) -> None:
        """Delete what belongs to these runs, and events of no run before then (UTC seconds)."""
        self._events = [
            entry
            for entry in self._events
            if (entry[1] not in run_ids if entry[1] is not None else entry[2] >= before)
        ]
        self._chunks = [stored for stored in self._chunks if stored.chunk.run_id not in run_ids]
        for run_id in run_ids:
            self._awaited.pop(run_id, None)
