"""Calls to AWS, counted on botocore's hooks: calls, request units, events, seconds waited.

Invariant: what is counted is what AWS charges for. Sizes are those of "Read and write operations"
(Amazon DynamoDB): a strongly consistent read is a unit for every 4 KB begun, an eventually
consistent one half of that, a write a unit for every 1 KB begun; a missing item and a failed
condition are one each.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

READ_UNIT: Final = 4096
WRITE_UNIT: Final = 1024

ENVELOPE_BYTES: Final = 330
"""Source, detail type, id, time, account and region of an event, and the overhead of a log line."""

Item = Mapping[str, Mapping[str, Any]]


@dataclass
class Counts:
    """`reads` and `writes` are request units.

    `calls` counts by operation; `messages` are those of queues.
    """

    events: int = 0
    event_bytes: int = 0
    writes: int = 0
    reads: float = 0
    invocations: int = 0
    messages: int = 0
    waits: int = 0
    waited_s: float = 0.0
    schedules: int = 0
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def queue_requests(self) -> int:
        """Each message is one send.

        The poller receives and deletes a whole batch by one request each.
        """
        return self.messages + 2 * self.invocations


class Hooks:
    """Counts the calls of the clients that it is attached to."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._requests: list[dict[str, Any]] = []

    def attach(self, client: Any) -> None:
        """Count the client's calls from now on."""
        client.meta.events.register("provide-client-params", self._note_request)
        client.meta.events.register("after-call", self._count)

    def _note_request(self, params: dict[str, Any], **_: object) -> None:
        self._requests.append(params)

    def _count(self, model: Any, parsed: dict[str, Any], **_: object) -> None:
        request, counts = self._requests.pop(), self.counts
        counts.calls[model.name] += 1
        match model.name:
            case "GetItem":
                counts.reads += read_units(parsed.get("Item", {})) * _share(request)
            case "BatchGetItem":
                ((table, wanted),) = request["RequestItems"].items()
                items = parsed["Responses"].get(table, [])
                units = sum(map(read_units, items)) + len(wanted["Keys"]) - len(items)
                counts.reads += units * _share(wanted)
            case "Query":
                units = max(1, ceil(sum(map(size_of, parsed["Items"])) / READ_UNIT))
                counts.reads += units * _share(request)
            case "PutItem" | "UpdateItem" | "DeleteItem":
                counts.writes += max(1, ceil(size_of(request.get("Item", {})) / WRITE_UNIT))
            case "PutEvents":
                counts.events += len(request["Entries"])
                counts.event_bytes += sum(map(_logged_bytes, request["Entries"]))
            case "StartExecution":
                counts.waits += 1
            case "CreateSchedule":
                counts.schedules += 1


def _share(read: Mapping[str, Any]) -> float:
    """Return what a read costs of a strongly consistent one."""
    return 1.0 if read.get("ConsistentRead") else 0.5


def _logged_bytes(entry: Mapping[str, Any]) -> int:
    """Return the size of an event in the log of events."""
    return len(entry["Detail"]) + ENVELOPE_BYTES


def read_units(item: Item) -> int:
    """Return the units of a strongly consistent read."""
    return max(1, ceil(size_of(item) / READ_UNIT))


def size_of(item: Item) -> int:
    """Return bytes of an item as DynamoDB counts them ("DynamoDB item sizes and formats")."""
    return sum(len(name) + _size_of_value(value) for name, value in item.items())


def _size_of_value(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "N":
        return len(content) // 2 + 2
    return len(content.encode()) if isinstance(content, str) else len(content)
