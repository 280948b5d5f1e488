"""What surrounds a Lambda in these tests: a store in memory, a bus and timers that keep what they are given, a clock that stands."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from aws_lambda_powertools import Logger

from cerebro.adapters.memory import MemoryStore
from cerebro.core.effects import FanOut, PageTimer
from cerebro.core.graph.graph import Graph
from cerebro.lambdas.counting_ports import counted
from cerebro.lambdas.metrics import MetricsBuffer
from cerebro.lambdas.runtime import LambdaRuntime
from cerebro.shell import Ports
from cordyna_core.contract.base import Message, meta_at
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.time import utc
from cordyna_core.testing import RecordingBus

NOON = 1_800_000_000.0
SERVER = "server-a"
BUS = "cordyna-staging"


class KeptTimers:
    """Implements the Timers port."""

    def __init__(self) -> None:
        self.rings: list[PageTimer] = []
        self.walks: list[FanOut] = []

    def send_page_timer(self, ring: PageTimer) -> None:
        self.rings.append(ring)

    def send_fan_out(self, walk: FanOut) -> None:
        self.walks.append(walk)


class NoCrons:
    """Implements the Crons port."""

    def apply(self, graph: Graph) -> None: ...


@dataclass
class KeptLetters:
    """Dead letters that can be made to fail."""

    letters: list[tuple[str, str]] = field(default_factory=list)
    fault: Exception | None = None

    def add_dead_letter(self, body: str, reason: str) -> None:
        if self.fault is not None:
            raise self.fault
        self.letters.append((body, reason))


class Surroundings:
    """One Lambda's, with its log in `logged`."""

    def __init__(self) -> None:
        self.now = NOON
        self.store, self.bus, self.timers, self.dead = (
            MemoryStore(),
            RecordingBus(),
            KeptTimers(),
            KeptLetters(),
        )
        self.log = StringIO()
        tally = MetricsBuffer(BUS)
        ports = Ports(self.store, self.bus, self.timers, NoCrons(), lambda: self.now)
        # A logger of its own: the stream of one that has the same name stays the first one's.
        logger = Logger(service=f"cerebro-{id(self)}", stream=self.log)
        self.face = LambdaRuntime(counted(ports, tally), self.dead, logger, tally)

    def make(self, name: str) -> LambdaRuntime:
        return self.face

    @property
    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    @property
    def commands(self) -> list[RunTask]:
        return [message for message in self.bus.published if isinstance(message, RunTask)]

    def sealed(self, message: Message, source: str, event_id: str = "") -> str:
        """The event of a message, said now."""
        event_id = event_id or f"{type(message).__name__} {source}"
        told = (
            message
            if message.meta
            else message.model_copy(update={"meta": meta_at(self.now, event_id)})
        )
        return seal(told, source, event_id, utc(self.now))

    def declared(self, *tasks: str, **of_task: Any) -> str:
        """`"z<-x,y"` is task z that needs x and y, all on SERVER."""
        words = [word.partition("<-") for word in tasks]
        declarations = [
            TaskDeclaration(name=name, upstream=up.split(",") if up else [], **of_task)
            for name, _, up in words
        ]
        return self.sealed(ServerDeclared(server=SERVER, tasks=declarations), server_source(SERVER))


class Context:
    """So many milliseconds are left, however often it is asked."""

    def __init__(self, milliseconds: int = 60_000) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


def batch(*bodies: str, sent_at: float | None = None) -> dict[str, Any]:
    """An SQS event; the ids of its records are message-0, message-1, ..."""
    attributes = {} if sent_at is None else {"SentTimestamp": str(int(sent_at * 1000))}
    return {
        "Records": [
            {"messageId": f"message-{n}", "body": body, "attributes": attributes}
            for n, body in enumerate(bodies)
        ]
    }


def metrics_in(printed: str) -> list[tuple[str, dict[str, str], float]]:
    """Every metric in EMF lines: name, dimensions, sum of the values."""
    found = []
    for line in filter(None, printed.splitlines()):
        told = json.loads(line)
        directive = told["_aws"]["CloudWatchMetrics"][0]
        assert directive["Namespace"] == BUS
        dimensions = {name: told[name] for name in directive["Dimensions"][0]}
        found += [
            (metric["Name"], dimensions, sum(told[metric["Name"]]))
            for metric in directive["Metrics"]
        ]
    return found


def names_of(messages: Sequence[Message]) -> list[str]:
    return [type(message).__name__ for message in messages]
