"""Item handler: what is done with one message of a loop, in the transaction of its batch.

Invariant: what is stored of a message has no plain secret. A message that can never be handled is a
dead letter with its reason.
"""

from cerebro.adapters.codecs import OtherFormat
from cerebro.core.internal_messages import InternalMessage, Tick
from cerebro.embedded.runtime.failed_items import FailedItems, reject
from cerebro.embedded.runtime.failing_runs import FailingRuns
from cerebro.embedded.runtime.loop_items import Item, run_of, text_of
from cerebro.embedded.runtime.plain_secrets import without_plain_secrets
from cerebro.embedded.storage.home import Home
from cerebro.handlers.receive import answer_malformed, open_delivery, perform_one
from cerebro.shell import Ports
from cordyna_core.contract.envelope import Envelope, MalformedEvent, seal
from cordyna_core.contract.readable_update import readable_update
from cordyna_core.errors import Fatal


class ItemHandler:
    """Handles the messages of one loop. `failed`: those whose handling raised."""

    def __init__(
        self, home: Home, ports: Ports, failing_runs: FailingRuns, failed: FailedItems
    ) -> None:
        self._home, self._ports = home, ports
        self._failing_runs, self._failed = failing_runs, failed
        self._opened: dict[Item, Envelope] = {}

    def note_opened(self, event: str, envelope: Envelope) -> None:
        """Note what an event contains that has been read already."""
        self._opened[event] = envelope

    def handle(self, item: Item, now: float) -> None:
        """Handle one message. Raises what its program or the home raises, unless it is Fatal."""
        if (error := self._failed.error_of(item)) is not None:
            kept = without_plain_secrets(item, self._home.store)
            reject(kept, error, self._home.event_log, self._ports, now)
            return
        opened, plain = self._opened.pop(item, None), item
        item = without_plain_secrets(item, self._home.store)
        try:
            message = opened if opened is not None and item is plain else self._open(item)
        except MalformedEvent as malformed:
            self._handle_malformed(str(item), malformed, now)
            return
        except OtherFormat as other:
            # Of a dead letter that was put back, or was forged: it is no fault of the home.
            self._home.event_log.add_dead_letter(str(item), str(other), now)
            return
        if isinstance(message, Envelope) and isinstance(item, str):
            self._log_event(message, item, now)
        if isinstance(message, Tick) and message.task in self._home.paused_crons.read():
            # It has passed without a run, and is not reported as missed later.
            self._home.store.write_tick(message.task, message.nominal)
            return
        try:
            perform_one(message, self._ports)
        except Fatal as fatal:
            self._home.event_log.add_dead_letter(text_of(item), str(fatal), now)

    def _handle_malformed(self, event: str, malformed: MalformedEvent, now: float) -> None:
        """Keep a malformed event, and answer it. What can be read of an update is logged apart."""
        self._home.event_log.append(None, event, now)
        reason = str(malformed)
        if (update := readable_update(malformed)) is None:
            answer_malformed(malformed, self._ports)
        else:
            text = seal(update.message, update.source, update.event_id, update.time)
            self._log_event(update, text, now)
            try:
                perform_one(update, self._ports)
                reason = f"{reason}; what can be read of it was handled"
            except Fatal as fatal:
                reason = f"{reason}; and what can be read of it was not handled: {fatal}"
        self._home.event_log.add_dead_letter(event, reason, now)

    def _log_event(self, envelope: Envelope, event: str, now: float) -> None:
        run_id = run_of(envelope)
        self._home.event_log.append(run_id, event, now)
        self._failing_runs.note_event(run_id)

    def _open(self, item: Item) -> Envelope | InternalMessage:
        return open_delivery(item) if isinstance(item, str) else item
