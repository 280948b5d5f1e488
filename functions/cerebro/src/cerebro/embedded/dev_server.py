"""Dev: staying up. Runs are driven, crons fire, every event is shown, and a server whose files change is served anew.

Law: what is wrong with a changed file is told on the bus, and the last good server stays.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from cerebro.embedded.reload import FileWatcher
from cerebro.embedded.runtime.session import HomeSession
from cordyna_core.contract.base import Problem
from cordyna_core.contract.state_updates import DeclarationRejected
from cordyna_core.contract.views.runs import PassedEvent
from cordyna_core.errors import UserError
from cordyna_core.server.loading import load_server

LOOK_AT_FILES_S: Final = 0.5
"""How often the servers' files are looked at."""


class Dev:
    """`names`: what the server that each target names is called; kept up to date here."""

    def __init__(self, session: HomeSession, targets: Sequence[str], names: dict[str, str]) -> None:
        self._session, self._targets, self._names = session, targets, names

    def events(self, *, after: int) -> Iterator[PassedEvent]:
        """Every event with a `seq` above `after`, as it passes, for ever."""
        watch = FileWatcher(self._targets)
        while True:
            self._fire_crons()
            for event in self._newer(after) or ():
                after = event.seq
                yield event
            for target in watch.changed():
                self._reload(target)
            self._session.wait_until(
                partial(self._newer, after), time.monotonic() + LOOK_AT_FILES_S
            )

    def _newer(self, after: int) -> list[PassedEvent] | None:
        with self._session.read_transaction():
            return self._session.home.event_log.events(None, after) or None

    def _fire_crons(self) -> None:
        with self._session.read_transaction():
            if self._session.driver is not None:
                self._session.driver.loop.start_crons()

    def _reload(self, target: str) -> None:
        try:
            server = load_server(target)
            self._session.replace_server(self._names[target], server)
            self._names[target] = server.name
        except UserError as wrong:
            problem = Problem(code="not_loaded", message=str(wrong))
            with self._session.read_transaction():
                if self._session.driver is not None:
                    self._session.driver.loop.publish_now(
                        [DeclarationRejected(server=target, problems=[problem])]
                    )
