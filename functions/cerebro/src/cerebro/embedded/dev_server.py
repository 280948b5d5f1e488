"""Dev server: drives a home until it is ended: fires crons, reloads servers, shows what passes.

Invariant: an error in a changed file is published as an event, and the last good version serves.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from cerebro.embedded.runtime.session import HomeSession
from cerebro.embedded.storage.event_log import LOG_PAGE_ROWS, LineAssembler
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.views.runs import LogLine, PassedEvent

FILE_CHECK_INTERVAL_S: Final = 0.5


class DevServer:
    """`targets`: the servers whose files are watched."""

    def __init__(self, session: HomeSession, targets: Sequence[str]) -> None:
        self._session, self._targets = session, targets

    def events(self, *, after: int) -> Iterator[PassedEvent | LogLine]:
        """Every event with a `seq` above `after` and every line printed from now on.

        In the order of their times, as they pass, until the caller stops.
        """
        # Imported here: no other command watches files.
        from cerebro.embedded.file_watcher import FileWatcher  # noqa: PLC0415

        printed = PrintedLines(self._session)
        next_check_at = 0.0
        with FileWatcher(self._targets) as watcher:
            while True:
                self._fire_crons()
                events, lines = self._newer_events(after), printed.newer()
                if events:
                    after = events[-1].seq
                yield from by_time(events, lines)
                if time.monotonic() >= next_check_at:
                    next_check_at = time.monotonic() + FILE_CHECK_INTERVAL_S
                    self._reload(watcher.changed())
                self._session.wait_until(partial(self._has_news, after, printed), next_check_at)

    def _newer_events(self, after: int) -> list[PassedEvent]:
        with self._session.read_transaction():
            return self._session.home.event_log.events(None, after)

    def _has_news(self, after: int, printed: "PrintedLines") -> bool | None:
        log = self._session.home.event_log
        return log.last_seq() > after or log.last_log_seq() > printed.after or None

    def _fire_crons(self) -> None:
        with self._session.read_transaction():
            if self._session.driver is not None:
                self._session.driver.loop.start_crons()

    def _reload(self, targets: Sequence[str]) -> None:
        with self._session.read_transaction():
            if self._session.driver is not None:
                for target in targets:
                    self._session.driver.reload(target)


class PrintedLines:
    """The lines that tasks print from now on."""

    def __init__(self, session: HomeSession) -> None:
        self._session, self._assembler = session, LineAssembler()
        with session.read_transaction():
            self.after = session.home.event_log.last_log_seq()

    def newer(self) -> list[LogLine]:
        """The lines that were completed since the last call."""
        lines: list[LogLine] = []
        while True:
            with self._session.read_transaction():
                page = self._session.home.event_log.log_chunks(
                    None, None, self.after, LOG_PAGE_ROWS
                )
            for stored in page:
                self.after = stored.seq
                lines += self._assembler.feed(stored.chunk)
            if len(page) < LOG_PAGE_ROWS:
                return lines


def by_time(
    events: Sequence[PassedEvent], lines: Sequence[LogLine]
) -> Iterator[PassedEvent | LogLine]:
    """Events in their order, each behind the lines that were printed before it."""
    waiting = deque(lines)
    for event in events:
        at = _time_of(event) if waiting else None
        while waiting and at is not None and waiting[0].at < at:
            yield waiting.popleft()
        yield event
    yield from waiting


def _time_of(event: PassedEvent) -> datetime | None:
    """When an event was sent; None for one that cannot be read."""
    try:
        return open_envelope(event.text).sent_at
    except MalformedEvent:
        return None
