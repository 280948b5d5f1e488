"""Dev server: drives a home until it is ended. Shows every event, fires crons, reloads servers.

Invariant: an error in a changed file is published as an event, and the last good version serves.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from cerebro.embedded.runtime.session import HomeSession
from cerebro.embedded.source_files import FileWatcher
from cordyna_core.contract.views.runs import PassedEvent

FILE_CHECK_INTERVAL_S: Final = 0.5


class DevServer:
    """`targets`: the servers whose files are watched."""

    def __init__(self, session: HomeSession, targets: Sequence[str]) -> None:
        self._session, self._targets = session, targets

    def events(self, *, after: int) -> Iterator[PassedEvent]:
        """Every event with a `seq` above `after`, as it passes, until the caller stops."""
        watcher = FileWatcher(self._targets)
        next_check_at = 0.0
        while True:
            self._fire_crons()
            for event in self._newer(after) or ():
                after = event.seq
                yield event
            if time.monotonic() >= next_check_at:
                next_check_at = time.monotonic() + FILE_CHECK_INTERVAL_S
                self._reload(watcher.changed())
            self._session.wait_until(partial(self._newer, after), next_check_at)

    def _newer(self, after: int) -> list[PassedEvent] | None:
        with self._session.read_transaction():
            return self._session.home.event_log.events(None, after) or None

    def _fire_crons(self) -> None:
        with self._session.read_transaction():
            if self._session.driver is not None:
                self._session.driver.loop.start_crons()

    def _reload(self, targets: Sequence[str]) -> None:
        with self._session.read_transaction():
            if self._session.driver is not None:
                for target in targets:
                    self._session.driver.reload(target)
