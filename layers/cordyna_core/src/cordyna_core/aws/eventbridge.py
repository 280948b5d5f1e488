"""EventBridge: the Bus port on AWS.

Invariant: a message is on the bus when its own entry was accepted. What was not accepted is sent
again unchanged, with its id. What AWS would refuse (too large, no source) is refused here, because
emulators accept it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from cordyna_core.contract.base import Message
from cordyna_core.contract.envelope import detail_json
from cordyna_core.contract.limits import MAX_ENVELOPE_BYTES
from cordyna_core.errors import Fatal, ServiceError

MAX_ENTRIES: Final = 10
"""Of one PutEvents request (EventBridge quotas)."""

MAX_TRIES: Final = 4
"""How often an entry is sent, the first time included."""

_FIRST_PAUSE_S: Final = 0.1
_TIME_BYTES: Final = 14

Entry = dict[str, str]


class EventBridgeBus:
    """Publishes as `source` on the bus named `bus`."""

    def __init__(
        self, client: Any, *, bus: str, source: str, pause: Callable[[float], None] = time.sleep
    ) -> None:
        if not source:
            raise Fatal("a message on the bus needs a source")
        self._client, self._bus, self._source, self._pause = client, bus, source, pause

    def publish(self, messages: Sequence[Message]) -> None:
        """Put messages on the bus.

        Raises:
            Fatal: a message is too large.
            ServiceError: the bus refused an event MAX_TRIES times.
            Exception: what botocore raises.
        """
        for request in requests([self.entry_of(message) for message in messages]):
            self._put(request)

    def entry_of(self, message: Message) -> Entry:
        """Return the entry that publishes a message. Raises Fatal if it is too large."""
        return entry(
            bus=self._bus,
            source=self._source,
            detail_type=type(message).__name__,
            detail=detail_json(message),
        )

    def _put(self, entries: list[Entry]) -> None:
        for tried in range(MAX_TRIES):
            if tried:
                self._pause(_FIRST_PAUSE_S * 2 ** (tried - 1))
            answers = self._client.put_events(Entries=entries)["Entries"]
            refused = [
                (sent, answer)
                for sent, answer in zip(entries, answers, strict=True)
                if "ErrorCode" in answer
            ]
            if not refused:
                return
            entries = [sent for sent, _ in refused]
        why = "\n".join(
            sorted(
                {
                    f"{answer['ErrorCode']}: {answer.get('ErrorMessage', '')}"
                    for _, answer in refused
                }
            )
        )
        raise ServiceError(
            f"the bus {self._bus} did not accept {len(refused)} of the events.",
            why=why,
            next="check the quotas of the bus, then try again",
        )


def entry(*, bus: str, source: str, detail_type: str, detail: str) -> Entry:
    """Return one entry of a PutEvents request. Raises Fatal if it is too large for EventBridge."""
    made = {"EventBusName": bus, "Source": source, "DetailType": detail_type, "Detail": detail}
    if size_of(made) > MAX_ENVELOPE_BYTES:
        raise Fatal(
            f"a {detail_type} of {size_of(made)} bytes is larger than an event may be "
            f"({MAX_ENVELOPE_BYTES} bytes)"
        )
    return made


def size_of(sent: Entry) -> int:
    """Return the bytes that EventBridge counts ("Calculating PutEvents event entry size")."""
    return _TIME_BYTES + sum(
        len(sent[part].encode()) for part in ("Source", "DetailType", "Detail")
    )


def requests(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Yield the entries in order, in as few requests as their number and size allow."""
    request: list[Entry] = []
    size = 0
    for next_entry in entries:
        if request and (
            len(request) == MAX_ENTRIES or size + size_of(next_entry) > MAX_ENVELOPE_BYTES
        ):
            yield request
            request, size = [], 0
        request.append(next_entry)
        size += size_of(next_entry)
    if request:
        yield request
