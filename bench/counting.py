"""What is asked of AWS, counted on botocore's own hooks: calls, request units, events, seconds waited.

Law: what is counted is what AWS charges for. Sizes are those of "Read and write operations" (Amazon DynamoDB): a strong
read is a unit for every 4 KB begun, a write for every 1 KB begun, an item that is not there and a condition that does
not hold are one each.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Any, Final

READ_UNIT: Final = 4096
WRITE_UNIT: Final = 1024

Item = Mapping[str, Mapping[str, Any]]


@dataclass
class Counts:
    """`reads` and `writes` are request units, `calls` are calls by operation, `messages` what queues carried."""

    events: int = 0
    writes: int = 0
    reads: int = 0
    invocations: int = 0
    messages: int = 0
    waits: int = 0
    waited_s: float = 0.0
    schedules: int = 0
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def queue_requests(self) -> int:
        """A message is sent by itself; a batch is received and deleted by one request each, of the Lambda's poller."""
        return self.messages + 2 * self.invocations


class Hooks:
    """Counts into `counts` what the clients that it is put on ask. `now`: the (virtual) time, in UTC seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.counts = Counts()
        self._now = now
        self._asked: list[dict[str, Any]] = []

    def put_on(self, client: Any) -> None:
        """From now on the client's calls are counted."""
        client.meta.events.register("provide-client-params", self._ask)
        client.meta.events.register("after-call", self._answered)

    def _ask(self, params: dict[str, Any], **_: object) -> None:
        self._asked.append(params)

    def _answered(self, model: Any, parsed: dict[str, Any], **_: object) -> None:
        asked, counts = self._asked.pop(), self.counts
        counts.calls[model.name] += 1
        match model.name:
            case "GetItem":
                counts.reads += read_units(parsed.get("Item", {}))
            case "BatchGetItem":
                wanted = sum(len(keys["Keys"]) for keys in asked["RequestItems"].values())
                found = [item for items in parsed["Responses"].values() for item in items]
                counts.reads += sum(map(read_units, found)) + wanted - len(found)
            case "Query":
                counts.reads += max(1, ceil(sum(map(size_of, parsed["Items"])) / READ_UNIT))
            case "PutItem" | "UpdateItem" | "DeleteItem":
                counts.writes += max(1, ceil(size_of(asked.get("Item", {})) / WRITE_UNIT))
            case "PutEvents":
                counts.events += len(asked["Entries"])
            case "StartExecution":
                counts.waits += 1
                counts.waited_s += max(0.0, until(asked) - self._now())
            case "CreateSchedule":
                counts.schedules += 1


def until(asked: Mapping[str, Any]) -> float:
    """When the state machine that waits is asked to go on (UTC seconds)."""
    return datetime.fromisoformat(json.loads(asked["input"])["timestamp"]).timestamp()


def read_units(item: Item) -> int:
    """Of a strong read."""
    return max(1, ceil(size_of(item) / READ_UNIT))


def size_of(item: Item) -> int:
    """Bytes of an item as DynamoDB counts them ("DynamoDB item sizes and formats")."""
    return sum(len(name) + _size_of_value(value) for name, value in item.items())


def _size_of_value(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "N":
        return len(content) // 2 + 2
    return len(content.encode()) if isinstance(content, str) else len(content)
