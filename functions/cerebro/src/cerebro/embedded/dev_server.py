"""Dev server: drives a home until it is ended: fires crons, reloads servers, shows what passes.

Invariant: an error in a changed file is published as an event, and the last good version serves.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from cerebro.embedded.runtime.session import HomeSession
from cerebro.embedded.storage.event_log import LOG_PAGE_ROWS, LineAssembler
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.views.runs import LogLine, PassedEvent

FILE_CHECK_INTERVAL_S: Final = 0.5

UNFINISHED_S: Final = 1.0
"""A line that has no newline, and does not grow for so long, is shown as it is."""

EVENT_PAGE_ROWS: Final = 500
"""Events that are read at once."""


class DevServer:
    """`targets`: the servers whose files are watched."""

    def __init__(self, session: HomeSession, targets: Sequence[str]) -> None:
        self._session, self._targets = session, targets

    def events(self, feed: "HomeFeed") -> Iterator[PassedEvent | LogLine]:
        """Yield what the feed has, as it passes, until the caller stops."""
        # Imported here: no other command watches files.
        from cerebro.embedded.file_watcher import FileWatcher  # noqa: PLC0415

        next_check_at = 0.0
        with FileWatcher(self._targets) as watcher:
            while True:
                self._fire_crons()
                yield from feed.next_page()
                if time.monotonic() >= next_check_at:
                    next_check_at = time.monotonic() + FILE_CHECK_INTERVAL_S
                    self._reload(watcher.changed())
                self._session.wait_until(feed.has_news, next_check_at)

    def _fire_crons(self) -> None:
        with self._session.read_transaction():
            if self._session.driver is not None:
                self._session.driver.loop.start_crons()

    def _reload(self, targets: Sequence[str]) -> None:
        with self._session.read_transaction():
            if self._session.driver is not None:
                for target in targets:
                    self._session.driver.reload(target)


class HomeFeed:
    """The events above a number and the lines that are printed from now on.

    At most one page of each is held, however far the reader of the feed is behind.
    """

    def __init__(self, session: HomeSession, after: int) -> None:
        self._session, self._assembler = session, LineAssembler()
        self._events: deque[PassedEvent] = deque()
        self._lines: deque[LogLine] = deque()
        self._after_event = after
        self._printed_at, self._read_at = 0.0, time.monotonic()
        with session.read_transaction():
            self._after_chunk = session.home.event_log.last_log_seq()

    def has_news(self) -> bool | None:
        """Return whether `next_page` yields anything; None if not. Called with the lock."""
        log = self._session.home.event_log
        is_held = bool(self._events or self._lines)
        is_stored = log.last_seq() > self._after_event or log.last_log_seq() > self._after_chunk
        return is_held or is_stored or None

    def next_page(self) -> Iterator[PassedEvent | LogLine]:
        """Yield what comes next, in the order of the times."""
        self._read()
        if self._events and self._lines:
            # The rest of one of them may be later than what is read next of the other.
            yield from by_time(self._events, self._lines)
            return
        waiting: deque[PassedEvent] | deque[LogLine] = self._events or self._lines
        while waiting:
            yield waiting.popleft()

    def _read(self) -> None:
        log = self._session.home.event_log
        with self._session.read_transaction():
            if not self._events:
                self._events.extend(log.events(None, self._after_event, EVENT_PAGE_ROWS))
            chunks = (
                log.log_chunks(None, None, self._after_chunk, LOG_PAGE_ROWS)
                if not self._lines
                else ()
            )
        if self._events:
            self._after_event = self._events[-1].seq
        for stored in chunks:
            self._after_chunk, self._printed_at = stored.seq, stored.chunk.at
            self._lines.extend(self._assembler.feed(stored.chunk))
        now = time.monotonic()
        if chunks:
            self._read_at = now
            self._lines.extend(self._assembler.rest_before(self._printed_at - UNFINISHED_S))
        elif not self._lines and now - self._read_at > UNFINISHED_S:
            # Nothing was printed meanwhile, so none of them grew.
            self._lines.extend(self._assembler.rest(self._printed_at))


def by_time(events: deque[PassedEvent], lines: deque[LogLine]) -> Iterator[PassedEvent | LogLine]:
    """Take events in their order, each behind the lines before it, until one kind is used up."""
    while events and lines:
        at = _time_of(events[0])
        while lines and at is not None and lines[0].at < at:
            yield lines.popleft()
        if lines:
            yield events.popleft()


def _time_of(event: PassedEvent) -> datetime | None:
    """Return when an event was sent; None for one that cannot be read."""
    try:
        return open_envelope(event.text).sent_at
    except MalformedEvent:
        return None
