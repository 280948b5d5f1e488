"""Alert sender: a thread that makes alerts of the events of incidents, and delivers them.

It follows the event log of the home, so an alert is made of every event that was committed, also by
an engine that was killed. A delivery that fails is tried again after growing pauses, and is a dead
letter after TRIES_MAX.

Invariant: no delivery holds the lock of the home, and none delays a run.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final

from cerebro.embedded.alerts.delivery import DeliveryFailed, deliver
from cerebro.embedded.alerts.outbox import Alert
from cerebro.embedded.storage.home import Home
from cordyna_cli.engine import AlertTarget
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.incidents import IncidentMessage
from cordyna_core.errors import ServiceError
from cordyna_core.ports import Clock

_log = logging.getLogger("cordyna")

POLL_S: Final = 1.0
FIRST_PAUSE_S: Final = 10.0
PAUSE_MAX_S: Final = 1800.0
TRIES_MAX: Final = 11
"""The last one is an hour and 42 minutes after the first."""

EVERY_OWNER: Final = "*"

Deliver = Callable[..., None]


class AlertSender:
    """Sends the alerts of one home while this process drives it.

    `targets`: by owner; `*` is for every other owner, and for incidents without one.
    """

    def __init__(
        self,
        home: Home,
        lock: AbstractContextManager[object],
        clock: Clock,
        targets: Mapping[str, AlertTarget],
        send: Deliver = deliver,
    ) -> None:
        self._home, self._lock, self._clock = home, lock, clock
        self._targets, self._send = targets, send
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cordyna-alerts", daemon=True)

    def start(self) -> None:
        """Send from now on. Does nothing without targets.

        What happened before alerts were set up is no news.
        """
        if not self._targets:
            return
        with self._lock, self._home.transaction():
            if self._home.alerts.cursor() is None:
                self._home.alerts.set_cursor(self._home.event_log.last_seq())
        self._thread.start()

    def stop(self, within_s: float) -> None:
        """Send what is due once more, for at most `within_s`; the next driver sends the rest."""
        if self._thread.ident is None:
            return
        self._is_stopping.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        while True:
            is_last = self._is_stopping.wait(POLL_S)
            try:
                self.step()
            except ServiceError as failure:
                # The home is locked or full: nothing was lost, and it is tried again.
                _log.warning("alerts wait: %s", failure.what)
            if is_last:
                return

    def step(self) -> None:
        """Make alerts of new events, and deliver what is due. Raises ServiceError."""
        with self._lock, self._home.transaction():
            self._collect()
            now = self._clock()
            due = [
                alert
                for alert in self._home.alerts.alerts()
                if alert.due is not None and alert.due <= now
            ]
        for alert in due:
            self._deliver(alert)

    def _collect(self) -> None:
        log, outbox = self._home.event_log, self._home.alerts
        last, cursor = log.last_seq(), outbox.cursor() or 0
        if last > cursor:
            for passed in log.incident_events(cursor):
                self._make(passed.text)
            outbox.set_cursor(last)

    def _make(self, event: str) -> None:
        message = message_of(event)
        if message is None:
            return
        owner = message.owner or ""
        if self._target_of(owner) is not None:
            self._home.alerts.add(owner, event, is_waiting=False)
        for waiting in message.waiting_owners:
            if self._targets.get(waiting) is not None:
                self._home.alerts.add(waiting, event, is_waiting=True)

    def _target_of(self, owner: str) -> AlertTarget | None:
        return self._targets.get(owner) or self._targets.get(EVERY_OWNER)

    def _deliver(self, alert: Alert) -> None:
        message, target = message_of(alert.event), self._target_of(alert.owner)
        failure = ""
        if message is not None and target is not None:
            try:
                self._send(target, message, is_waiting=alert.is_waiting)
            except DeliveryFailed as failed:
                failure = str(failed)
            except Exception as unforeseen:  # noqa: BLE001  it is kept with the alert
                # One alert must not stop all others.
                failure = f"{type(unforeseen).__name__} was raised"
                _log.exception("an alert was not delivered")
        with self._lock, self._home.transaction():
            if failure:
                self._home.alerts.write(self._after_failure(alert, failure))
            else:
                self._home.alerts.remove([alert.number])

    def _after_failure(self, alert: Alert, reason: str) -> Alert:
        tries = alert.tries + 1
        if tries >= TRIES_MAX:
            _log.error("an alert is a dead letter (dyna dlq ls): %s", reason)
            return replace(alert, tries=tries, due=None, reason=reason)
        pause_s = min(FIRST_PAUSE_S * 2**alert.tries, PAUSE_MAX_S)
        return replace(alert, tries=tries, due=self._clock() + pause_s, reason=reason)


def message_of(event: str) -> IncidentMessage | None:
    """Return the incident of an event that cerebro published; None: another event."""
    try:
        envelope = open_envelope(event)
    except MalformedEvent:
        return None
    is_own = envelope.source == CEREBRO
    return envelope.message if is_own and isinstance(envelope.message, IncidentMessage) else None
