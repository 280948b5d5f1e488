"""The runtime of a Lambda handler in these tests: a memory store, a recording bus, recording
timers, a fixed clock.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Final

from aws_lambda_powertools import Logger

from cerebro.adapters.memory import MemoryStore
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.notices import AnyIncidentTimer, IncidentNotice
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer
from cerebro.lambdas.counting_ports import with_counting
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


_NUMBERS: Final = itertools.count()


class RecordingTimers:
    """Implements the Timers port."""

    def __init__(self) -> None:
        self.page_timers: list[PageTimer] = []
        self.fan_outs: list[FanOut] = []
        self.overdue_checks: list[OverdueCheck] = []
        self.incident_timers: list[AnyIncidentTimer] = []
        self.incident_notices: list[IncidentNotice] = []

    def send_page_timer(self, timer: PageTimer) -> None:
        self.page_timers.append(timer)

    def send_fan_out(self, fan_out: FanOut) -> None:
        self.fan_outs.append(fan_out)

    def send_overdue_check(self, check: OverdueCheck) -> None:
        self.overdue_checks.append(check)

    def send_incident_timer(self, timer: AnyIncidentTimer) -> None:
        self.incident_timers.append(timer)

    def send_incident_notice(self, notice: IncidentNotice) -> None:
        self.incident_notices.append(notice)


class NoCrons:
    """Implements the Crons port."""

    def apply(self, graph: Graph) -> None: ...


@dataclass
class RecordingDeadLetters:
    """A dead-letter queue that can be made to fail."""

    letters: list[tuple[str, str]] = field(default_factory=list)
    fault: Exception | None = None

    def add_dead_letter(self, body: str, reason: str) -> None:
        if self.fault is not None:
            raise self.fault
        self.letters.append((body, reason))


@dataclass
class RecordingRetries:
    """Postponed retries: (receipt handle, deliveries). It can be made to fail."""

    postponed: list[tuple[str, int]] = field(default_factory=list)
    fault: Exception | None = None

    def postpone(self, receipt_handle: str, deliveries: int) -> None:
        if self.fault is not None:
            raise self.fault
        self.postponed.append((receipt_handle, deliveries))


class FakeRuntime:
    """The runtime of one Lambda handler; its log is in `logged`."""

    def __init__(self) -> None:
        self.now = NOON
        self.store, self.bus, self.timers, self.dead = (
            MemoryStore(),
            RecordingBus(),
            RecordingTimers(),
            RecordingDeadLetters(),
        )
        self.retries = RecordingRetries()
        self.log = StringIO()
        metrics = MetricsBuffer(BUS)
        ports = Ports(self.store, self.bus, self.timers, NoCrons(), lambda: self.now)
        # A name of its own: powertools reuses the stream of the first logger of a name.
        logger = Logger(service=f"cerebro-{next(_NUMBERS)}", stream=self.log)
        self.runtime = LambdaRuntime(
            with_counting(ports, metrics), self.dead, self.retries, logger, metrics
        )

    def build(self, name: str) -> LambdaRuntime:
        return self.runtime

    @property
    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    @property
    def commands(self) -> list[RunTask]:
        return [message for message in self.bus.published if isinstance(message, RunTask)]

    def sealed(self, message: Message, source: str, event_id: str = "") -> str:
        """The event of a message that is sent now."""
        event_id = event_id or f"{type(message).__name__} {source}"
        with_meta = (
            message
            if message.meta
            else message.model_copy(update={"meta": meta_at(self.now, event_id)})
        )
        return seal(with_meta, source, event_id, utc(self.now))

    def declared(self, *tasks: str, **of_task: Any) -> str:
        """The declaration of SERVER; `"z<-x,y"` is task z with upstream x and y."""
        words = [word.partition("<-") for word in tasks]
        declarations = [
            TaskDeclaration(name=name, upstream=up.split(",") if up else [], **of_task)
            for name, _, up in words
        ]
        return self.sealed(ServerDeclared(server=SERVER, tasks=declarations), server_source(SERVER))


class Context:
    """A Lambda context that always reports the same remaining time."""

    def __init__(self, milliseconds: int = 60_000) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


def batch(*bodies: str, sent_at: float | None = None, deliveries: int = 1) -> dict[str, Any]:
    """An SQS event; the ids of its records are message-0, message-1, ..."""
    attributes = {} if sent_at is None else {"SentTimestamp": str(int(sent_at * 1000))}
    attributes["ApproximateReceiveCount"] = str(deliveries)
    return {
        "Records": [
            {
                "messageId": f"message-{n}",
                "receiptHandle": f"receipt-{n}",
                "body": body,
                "attributes": attributes,
            }
            for n, body in enumerate(bodies)
        ]
    }


def metrics_in(printed: str) -> list[tuple[str, dict[str, str], float]]:
    """Every metric in EMF lines: name, dimensions, sum of the values."""
    metrics = []
    for line in filter(None, printed.splitlines()):
        fields = json.loads(line)
        directive = fields["_aws"]["CloudWatchMetrics"][0]
        assert directive["Namespace"] == BUS
        dimensions = {name: fields[name] for name in directive["Dimensions"][0]}
        metrics += [
            (metric["Name"], dimensions, sum(fields[metric["Name"]]))
            for metric in directive["Metrics"]
        ]
    return metrics


def names_of(messages: Sequence[Message]) -> list[str]:
    return [type(message).__name__ for message in messages]
