"""A server that answers at once, without a process of its own for each body: for wide fan-outs.

It is a thread of the test that reads the commands of a rule of its own from a queue, and answers
each with `started` and `completed`. So the fan-out measures cerebro, and not how many functions an
emulator can run.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

SERVER: Final = "task-server-wide"
SOURCE: Final = f"cordyna.server.{SERVER}"
TARGET: Final = "wide-target"
BUS: Final = "cordyna"

ENTRIES_MAX: Final = 10


@dataclass(slots=True)
class Received:
    """What reached the server: commands by task, and how many seconds each had left."""

    bodies: Counter[str] = field(default_factory=Counter)
    seconds_left: list[float] = field(default_factory=list)
    """From the moment at which the command left to its `ack_by`."""


def declaration(width: int) -> dict[str, Any]:
    """Return a source, `width` tasks downstream of it, and a target downstream of them all."""
    wide = [f"wide-{number:04}" for number in range(width)]
    return {
        "server": SERVER,
        "contract": "1",
        "tasks": [
            {"name": "wide-source"},
            *({"name": name, "upstream": ["wide-source"]} for name in wide),
            {"name": TARGET, "upstream": wide},
        ],
    }


class WideServer:
    """Use as a context. `client`: makes a boto3 client of a service."""

    def __init__(self, client: Any) -> None:
        self._events, self._sqs = client("events"), client("sqs")
        self.received = Received()
        self._ended = threading.Event()

    @contextmanager
    def serving(self, width: int, threads: int = 4) -> Iterator[Received]:
        """Declare the tasks, and answer commands until the context ends."""
        url = self._sqs.create_queue(QueueName=SERVER)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        pattern = {
            "source": ["cordyna.cerebro"],
            "detail-type": ["RunTask"],
            "detail": {"server": [SERVER]},
        }
        self._events.put_rule(Name=SERVER, EventBusName=BUS, EventPattern=json.dumps(pattern))
        target = {"Id": SERVER, "Arn": attributes["Attributes"]["QueueArn"]}
        self._events.put_targets(Rule=SERVER, EventBusName=BUS, Targets=[target])
        self._put([("ServerDeclared", declaration(width))])
        readers = [threading.Thread(target=self._answer, args=(url,)) for _ in range(threads)]
        for reader in readers:
            reader.start()
        try:
            yield self.received
        finally:
            self._ended.set()
            for reader in readers:
                reader.join()
            self._events.remove_targets(Rule=SERVER, EventBusName=BUS, Ids=[SERVER])
            self._events.delete_rule(Name=SERVER, EventBusName=BUS)
            self._sqs.delete_queue(QueueUrl=url)

    def _answer(self, url: str) -> None:
        while not self._ended.is_set():
            messages = self._sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=ENTRIES_MAX // 2, WaitTimeSeconds=1
            ).get("Messages", [])
            updates = [update for message in messages for update in self._updates(message)]
            if updates:
                self._put(updates)
            for message in messages:
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _updates(self, message: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        command = json.loads(message["Body"])["detail"]
        left = _utc(command["meta"]["time"])
        self.received.seconds_left.append((_utc(command["ack_by"]) - left).total_seconds())
        self.received.bodies[command["task"]] += 1
        fields = {name: command[name] for name in ("server", "run_id", "task", "attempt")}
        for state in ("started", "completed"):
            yield "TaskStateChanged", {**fields, "state": state}

    def _put(self, messages: list[tuple[str, dict[str, Any]]]) -> None:
        answer = self._events.put_events(
            Entries=[
                {
                    "EventBusName": BUS,
                    "Source": SOURCE,
                    "DetailType": detail_type,
                    "Detail": json.dumps(detail),
                }
                for detail_type, detail in messages
            ]
        )
        assert answer["FailedEntryCount"] == 0, answer


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
