"""Live: the rows of runs as they change, shared by all followers, and the streams of them.

Invariant: rows replace rows. A follower that was away, or that sees a row twice, ends with the same
rows as one that saw everything once. A cursor of another process, or of rows that were dropped
since, is answered with every row.
"""

import asyncio
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import StreamingResponse

from cordyna_console.models import FactsAnswer, RunHead
from cordyna_console.problems import document_of
from cordyna_console.run_columns import FactRows
from cordyna_core.contract.views.facts import FactColumns
from cordyna_core.errors import UserError

READ_EVERY_S: Final = 0.25
"""A run is read at most this often, however many follow it."""

SHARE: Final = 50
"""Reading a run takes at most one part in 50 of the time of this process."""

PAUSE_S_MAX: Final = 5.0

IDLE_AFTER_S: Final = 15.0
CURSOR: Final = re.compile(r"(?P<epoch>[0-9a-f]{8})\.(?P<version>[0-9]{1,18})")
RUNS_KEPT: Final = 50

Answer = TypeVar("Answer")

_NONE: Final[list[list[int | None]]] = []
"""Earlier attempts of a task that has none: shared, and never changed."""

Row = tuple[Any, ...]
"""The columns of `FactColumns` after `task`; the word as (state, reason)."""


@dataclass(frozen=True, slots=True)
class RunReading:
    """A run at one moment. `facts`: what changed after the cursor that was asked with."""

    head: RunHead
    facts: FactsAnswer


@dataclass(frozen=True, slots=True)
class RunChanges:
    """What followers of a run with the same cursor are sent."""

    cursor: str
    answer: FactsAnswer
    text: str


@dataclass(slots=True)
class LiveRun:
    """The last rows of a run. `versions`: the change at which a row became what it is."""

    read: Callable[[str | None], RunReading]
    epoch: str
    clock: Callable[[], float]
    cost: Callable[[], float]
    last: RunReading | None = None
    version: int = 0
    rows: dict[int, Row] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    changes: dict[int, RunChanges] = field(default_factory=dict)
    """By the version after which they are; of the last reading only."""
    read_at: float = float("-inf")
    pause_s: float = READ_EVERY_S
    lock: threading.Lock = field(default_factory=threading.Lock)

    def since(self, cursor: str | None) -> RunChanges:
        """Return the rows that changed after `cursor`, or all of them.

        Raises what reading raises.
        """
        with self.lock:
            last, after = self._refreshed(self.pause_s), self._known(cursor)
            if after not in self.changes:
                self.changes[after] = self._changes(last.facts, after)
            return self.changes[after]

    def head(self) -> RunHead:
        """Return the run without its tasks. Raises what reading raises."""
        with self.lock:
            return self._refreshed(READ_EVERY_S).head

    def expire(self) -> None:
        """Read again when it is asked for: a command has changed the run."""
        with self.lock:
            self.read_at = float("-inf")

    def _known(self, cursor: str | None) -> int:
        match = CURSOR.fullmatch(cursor or "")
        if match is None or match["epoch"] != self.epoch:
            return -1
        version = int(match["version"])
        return version if version <= self.version else -1

    def _changes(self, last: FactsAnswer, after: int) -> RunChanges:
        changed = sorted(index for index, version in self.versions.items() if version > after)
        words: list[tuple[str, str | None]] = []
        columns = FactRows.of(_columns(changed, self.rows, words))
        cursor = f"{self.epoch}.{self.version}"
        answer = last.model_copy(update={"cursor": cursor, "words": words, "columns": columns})
        return RunChanges(cursor, answer, answer.model_dump_json())

    def _refreshed(self, pause_s: float) -> RunReading:
        if self.last is not None and self.clock() - self.read_at < pause_s:
            return self.last
        begin = self.cost()
        reading = self.read(self.last.facts.cursor if self.last else None)
        facts = reading.facts
        changed = [(i, row) for i, row in rows_of(facts) if self.rows.get(i) != row]
        if self.last is None or changed or _head(facts) != _head(self.last.facts):
            self.version += 1
        for index, row in changed:
            self.rows[index], self.versions[index] = row, self.version
        self.last, self.read_at = reading, self.clock()
        self.changes.clear()
        self.pause_s = min(max(READ_EVERY_S, SHARE * (self.cost() - begin)), PAUSE_S_MAX)
        return reading


def _head(facts: FactsAnswer) -> tuple[Any, ...]:
    why = facts.why
    return facts.state, facts.cancelled, facts.ended_at, why.sentence, why.next


def rows_of(facts: FactsAnswer) -> list[tuple[int, Row]]:
    """Return index and row of every task in the columns."""
    c = facts.columns
    words = [facts.words[word] for word in c.word]
    rest = zip(c.attempt, c.sent, c.queued, c.started, c.ended, c.deadline, strict=True)
    # Tuples: ten thousand rows of plain values are nothing that the garbage collector visits.
    befores = [
        tuple((*b[:5], facts.words[b[5]]) for b in before if b[5] is not None) if before else ()
        for before in c.before
    ]
    return [
        (index, (word, *row, before))
        for index, word, row, before in zip(c.tasks, words, rest, befores, strict=True)
    ]


def _columns(
    indexes: list[int], rows: dict[int, Row], words: list[tuple[str, str | None]]
) -> FactColumns:
    known: dict[tuple[str, str | None], int] = {}

    def word_of(word: tuple[str, str | None]) -> int:
        if word not in known:
            known[word] = len(words)
            words.append(word)
        return known[word]

    columns = FactColumns()
    for index in indexes:
        word, attempt, sent, queued, started, ended, deadline, before = rows[index]
        columns.task.append(index)
        columns.word.append(word_of(word))
        columns.attempt.append(attempt)
        columns.sent.append(sent)
        columns.queued.append(queued)
        columns.started.append(started)
        columns.ended.append(ended)
        columns.deadline.append(deadline)
        columns.before.append([[*b[:5], word_of(b[5])] for b in before] if before else _NONE)
    return columns


class LiveRuns:
    """The runs that are looked at, the last ones kept.

    `clock`: monotonic seconds; `cost`: seconds of CPU that the thread has used.
    """

    def __init__(
        self,
        read: Callable[[str, str | None], RunReading],
        clock: Callable[[], float] = time.monotonic,
        cost: Callable[[], float] = time.thread_time,
    ) -> None:
        self._read, self._clock, self._cost = read, clock, cost
        self._runs: OrderedDict[str, LiveRun] = OrderedDict()
        self._lock = threading.Lock()

    def since(self, run_id: str, cursor: str | None) -> RunChanges:
        """Return the rows of a run that changed after `cursor`. Raises NotFound."""
        return self._of(run_id, lambda run: run.since(cursor))

    def head(self, run_id: str) -> RunHead:
        """Return a run without its tasks, of the same reading as its rows. Raises NotFound."""
        return self._of(run_id, LiveRun.head)

    def expire(self, run_id: str) -> None:
        """Read a run again when it is asked for."""
        with self._lock:
            run = self._runs.get(run_id)
        if run is not None:
            run.expire()

    def _of(self, run_id: str, answer: Callable[[LiveRun], Answer]) -> Answer:
        run = self._kept(run_id)
        try:
            return answer(run)
        except UserError:
            with self._lock:
                self._runs.pop(run_id, None)
            raise

    def _kept(self, run_id: str) -> LiveRun:
        with self._lock:
            run = self._runs.get(run_id)
            if run is None:
                run = LiveRun(
                    read=lambda since: self._read(run_id, since),
                    # Of these rows alone: versions begin anew when a run is read anew.
                    epoch=secrets.token_hex(4),
                    clock=self._clock,
                    cost=self._cost,
                )
                self._runs[run_id] = run
                while len(self._runs) > RUNS_KEPT:
                    self._runs.popitem(last=False)
            self._runs.move_to_end(run_id)
            return run


Poll = Callable[[str | None], tuple[str, str | None]]
"""Cursor -> the next cursor, and the JSON that changed (None: nothing did)."""


def stream(request: Request, poll: Poll, *, every_s: float, after: str | None) -> StreamingResponse:
    """Server-sent events: what `poll` answers, until the reader leaves."""
    cursor = request.headers.get("last-event-id") or after
    return StreamingResponse(
        _events(request, poll, every_s, cursor),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    request: Request, poll: Poll, every_s: float, cursor: str | None
) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    silent_since = time.monotonic()
    stopping: Callable[[], bool] = request.app.state.stopping
    while not stopping() and not await request.is_disconnected():
        try:
            cursor, data = await asyncio.to_thread(poll, cursor)
        except UserError as error:
            yield f"event: problem\ndata: {document_of(error).model_dump_json()}\n\n"
            return
        if data is not None:
            yield f"id: {cursor}\ndata: {data}\n\n"
            silent_since = time.monotonic()
        elif time.monotonic() - silent_since > IDLE_AFTER_S:
            # An event and not a comment: a page cannot see comments.
            yield "event: idle\ndata: {}\n\n"
            silent_since = time.monotonic()
        await asyncio.sleep(every_s)
