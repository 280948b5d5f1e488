"""EventBridge: the Bus port on AWS.

Law: a message is on the bus when its own entry was accepted. What was not accepted is sent again as it was, with its id; what
AWS would refuse (too large, no source) is refused here, for emulators take it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from cordyna_core.contract.base import Message
from cordyna_core.contract.envelope import MAX_ENVELOPE_BYTES, detail_json
from cordyna_core.errors import Fatal, ServiceError

MAX_ENTRIES: Final = 10
"""Of one PutEvents request (Amazon EventBridge quotas)."""

ROUNDS: Final = 4
"""How often what failed is sent, the first time included."""

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
        """Raises Fatal for a message that is too large, ServiceError when the bus keeps refusing, and what botocore raises."""
        for request in requests([self._entry(message) for message in messages]):
            self._put(request)

    def _entry(self, message: Message) -> Entry:
        return entry(
            bus=self._bus,
            source=self._source,
            detail_type=type(message).__name__,
            detail=detail_json(message),
        )

    def _put(self, entries: list[Entry]) -> None:
        for round_ in range(ROUNDS):
            if round_:
                self._pause(_FIRST_PAUSE_S * 2 ** (round_ - 1))
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
            f"the bus {self._bus} did not take {len(refused)} of the events.",
            why=why,
            next="look at the bus's quotas",
        )


def entry(*, bus: str, source: str, detail_type: str, detail: str) -> Entry:
    """One entry of a PutEvents request. Raises Fatal when it is larger than EventBridge takes."""
    made = {"EventBusName": bus, "Source": source, "DetailType": detail_type, "Detail": detail}
    if size_of(made) > MAX_ENVELOPE_BYTES:
        raise Fatal(
            f"a {detail_type} of {size_of(made)} bytes is larger than an event may be ({MAX_ENVELOPE_BYTES} bytes)"
        )
    return made


def size_of(sent: Entry) -> int:
    """As EventBridge counts it (Amazon EventBridge, "Calculating event entry size")."""
    return _TIME_BYTES + sum(
        len(sent[part].encode()) for part in ("Source", "DetailType", "Detail")
    )


def requests(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Entries in as few requests as their number and their bytes allow, in order."""
    request: list[Entry] = []
    size = 0
    for each in entries:
        if request and (len(request) == MAX_ENTRIES or size + size_of(each) > MAX_ENVELOPE_BYTES):
            yield request
            request, size = [], 0
        request.append(each)
        size += size_of(each)
    if request:
        yield request
