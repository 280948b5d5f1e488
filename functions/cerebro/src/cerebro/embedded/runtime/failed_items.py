"""Failed items: the messages of a loop whose processing raised, and what becomes of them.

After a failure, messages are processed one at a time for a while, so that only the one that failed
is repeated. After TRIES_MAX failures it becomes a dead letter with the error as its reason, and its
sender is answered.

Invariant: a message that fails is tried again or is a dead letter, and holds up no other one.
"""

import logging
from collections.abc import Iterable
from typing import Final

from cerebro.embedded.runtime.loop_items import Item, text_of
from cerebro.embedded.storage.event_log import EventLog
from cerebro.handlers.receive import answer_malformed
from cerebro.ports import DamagedItem
from cerebro.shell import Ports
from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import MalformedEvent, RawEnvelope
from cordyna_core.errors import ServiceError

_log = logging.getLogger("cordyna")

BATCH_MAX: Final = 256
"""Messages per transaction: they share the cost of the commit, and no server waits long for it."""

TRIES_MAX: Final = 3
"""A message whose processing raises this often becomes a dead letter."""


class FailedItems:
    """The messages that failed and have not been processed since."""

    def __init__(self) -> None:
        self._errors: dict[Item, list[str]] = {}
        self._singles_left = 0

    @property
    def batch_max(self) -> int:
        """How many messages may be processed in one transaction now."""
        return 1 if self._singles_left else BATCH_MAX

    def note_failure(self, item: Item, error: Exception) -> None:
        self._singles_left = BATCH_MAX
        self._errors.setdefault(item, []).append(f"{type(error).__name__}: {error}")
        _log.debug("processing failed", exc_info=error)

    def note_processed(self, items: Iterable[Item]) -> None:
        """Forget the failures of a batch that was committed."""
        self._singles_left = max(0, self._singles_left - 1)
        if self._errors:
            for item in items:
                self._errors.pop(item, None)

    def error_of(self, item: Item) -> str | None:
        """Return the last error of a message that is not tried again; None of any other."""
        errors = self._errors.get(item, ())
        return errors[-1] if len(errors) >= TRIES_MAX else None


def is_of_home(failure: Exception) -> bool:
    """Return whether the home fails, so that no message is at fault."""
    return isinstance(failure, ServiceError) and not isinstance(failure, DamagedItem)


def reject(item: Item, error: str, event_log: EventLog, ports: Ports, now: float) -> None:
    """Make a message that failed TRIES_MAX times a dead letter, and answer its sender."""
    reason = f"failed {TRIES_MAX} times: {error}"
    text = text_of(item)
    _log.error("a message became a dead letter (dyna dlq ls): it %s", reason)
    event_log.add_dead_letter(text, reason, now)
    if not isinstance(item, str):
        return
    event_log.append(None, item, now)
    problem = Problem(
        code="not_handled",
        message=f"cerebro could not handle this message: {error}."
        " It is kept: `dyna dlq ls` shows it, `dyna dlq redrive dead-letters` repeats it",
    )
    try:
        raw = RawEnvelope.model_validate_json(item)
        answer_malformed(MalformedEvent([problem], raw), ports)
    except Exception as unanswerable:  # noqa: BLE001  it is kept
        # What made it fail may also prevent the answer; the dead letter has both.
        reason = f"{reason}; and its sender could not be answered: {unanswerable}"
        event_log.add_dead_letter(text, reason, now)
