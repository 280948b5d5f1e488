"""Incident queue: what the handler of incidents receives in one process, and how it is handled.

A message is handled in a transaction of its own, right after the one that published it: the end of
a run is seen by a client only when its incident is recorded, too. What is lost between the two, if
the process is killed, is found by the next engine (see incident_resume.py).

Invariant: a message that cannot be handled stops nothing; after TRIES_MAX failures it is a dead
letter.
"""

import logging
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager

from cerebro.adapters.internal_codec import encode_internal
from cerebro.core.incidents.notices import IncidentNotice
from cerebro.dispatch import OBSERVATIONS, is_observed
from cerebro.embedded.runtime.failed_items import TRIES_MAX, is_of_home
from cerebro.embedded.storage.home import Home
from cerebro.handlers.receive import open_delivery, perform_one
from cerebro.shell import Ports
from cordyna_core.contract.base import Message

_log = logging.getLogger("cordyna")

Transaction = Callable[[], AbstractContextManager[None]]


class IncidentQueue:
    """The messages that wait: events of cerebro that need an owner, and notices."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._waiting: deque[str | IncidentNotice] = deque()
        self._new: list[IncidentNotice] = []
        self._failures = 0

    def observe(self, message: Message, event: str) -> None:
        """Take an event that was published, if it is one for this queue."""
        if type(message) in OBSERVATIONS and is_observed(message):
            self._waiting.append(event)

    def add(self, notice: IncidentNotice) -> None:
        """Take a notice of the transaction that is open; it counts when that is committed."""
        self._new.append(notice)

    def on_commit(self) -> None:
        """The notices of the last transaction count."""
        self._waiting.extend(self._new)
        self._new.clear()

    def on_roll_back(self) -> None:
        """Forget the notices of the last transaction."""
        self._new.clear()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def handle_next(self, ports: Ports, transaction: Transaction) -> None:
        """Handle one message in a transaction of the loop.

        Raises:
            ServiceError: the home fails. The message is kept.
        """
        item = self._waiting[0]
        try:
            with transaction():
                message = open_delivery(item) if isinstance(item, str) else item
                perform_one(message, ports)
        except Exception as failure:
            if is_of_home(failure):
                raise
            self._note_failure(item, failure, ports)
            return
        self._waiting.popleft()
        self._failures = 0

    def _note_failure(self, item: str | IncidentNotice, failure: Exception, ports: Ports) -> None:
        self._failures += 1
        if self._failures < TRIES_MAX:
            return
        self._waiting.popleft()
        self._failures = 0
        reason = f"no incident was recorded: {type(failure).__name__}: {failure}"
        _log.error("a message became a dead letter (dyna dlq ls): %s", reason)
        text = item if isinstance(item, str) else encode_internal(item)
        with self._home.transaction():
            self._home.event_log.add_dead_letter(text, reason, ports.clock())
