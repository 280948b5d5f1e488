"""A cloud in memory: the handlers of cerebro behind the calls that an AWS engine makes."""

# ruff: noqa: N803  the names of arguments are those of AWS

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

from botocore.exceptions import ClientError

from cerebro.adapters.internal_codec import encode_internal
from cerebro.adapters.memory import MemoryStore
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.notices import AnyIncidentTimer, IncidentNotice
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer
from cerebro.dispatch import handler_of, is_observed
from cerebro.handlers.query_api import answer
from cerebro.handlers.receive import Delivery, receive
from cerebro.shell import Ports
from cordyna_cli.aws.aws_session import translate_aws_errors
from cordyna_core.contract.base import Message, meta_at
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CEREBRO, SCHEDULER, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc

NOON = 1_800_000_000.0
SERVER = "server-a"
LOG = "/aws/events/cordyna"


def refused(code: str, operation: str = "Call") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


class MemoryCloud:
    """An `AwsSession` in memory.

    Without `writes_log` it is an emulator that writes no log groups; with `deaf`, cerebro receives
    no events.
    """

    where = "memory"
    place = "123456789012.eu-west-1"
    is_emulator = False

    def __init__(self, *, writes_log: bool = True, deaf: bool = False) -> None:
        self.now = NOON
        self.writes_log, self.deaf = writes_log, deaf
        self.store = MemoryStore()
        self.passed: list[str] = []
        self.groups: dict[str, list[dict[str, Any]]] = {LOG: []}
        self.calls: list[str] = []
        self.slept: list[float] = []
        self.answers: dict[str, Callable[..., Any]] = {
            "lambda.invoke": self._query,
            "logs.filter_log_events": self._log,
            "events.put_events": self.put_events,
        }
        self._ports = Ports(
            self.store, _CloudBus(self), _CloudTimers(self), _NullCrons(), lambda: self.now
        )

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        self.calls.append(f"{service}.{operation}")
        with translate_aws_errors():
            return self.answers[f"{service}.{operation}"](**arguments)

    def client(self, service: str) -> Any:
        return self

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    # --- what a test does to it ---
    def declare(self, *tasks: str, **of_task: Any) -> None:
        words = [word.partition("<-") for word in tasks]
        declared = [
            TaskDeclaration(name=name, upstream=up.split(",") if up else [], **of_task)
            for name, _, up in words
        ]
        self.publish(ServerDeclared(server=SERVER, tasks=declared), server_source(SERVER))

    def report(self, run_id: str, task: str, state: str) -> None:
        meta = meta_at(self.now, f"{run_id} {task} {state}")
        update = TaskStateChanged(
            server=SERVER, run_id=run_id, task=task, attempt=1, state=state, meta=meta
        )
        self.publish(update, server_source(SERVER))

    def publish(self, message: Message, source: str) -> None:
        event_id = (
            message.meta.id if message.meta and message.meta.id else f"event-{len(self.passed)}"
        )
        text = seal(message, source, event_id, utc(self.now))
        self._pass(text, source, type(message).__name__)
        if source == CEREBRO and is_observed(message):
            self.deliver(text)

    def _pass(self, text: str, source: str, detail_type: str) -> None:
        self.passed.append(text)
        if self.writes_log:
            self.groups[LOG].append({"timestamp": int(self.now * 1000), "message": text})
        if not self.deaf and handler_of(source, detail_type) is not None:
            self.deliver(text)

    def deliver(self, text: str) -> None:
        """Let cerebro handle an event."""
        receive([Delivery("receipt", text)], self._ports)

    # --- what AWS answers ---
    def put_events(self, Entries: list[dict[str, str]]) -> Any:
        for sent in Entries:
            event = {
                "id": f"event-{len(self.passed)}",
                "source": sent["Source"],
                "detail-type": sent["DetailType"],
            }
            event |= {"time": utc(self.now).isoformat(), "detail": json.loads(sent["Detail"])}
            self._pass(json.dumps(event), sent["Source"], sent["DetailType"])
        return {"Entries": [{"EventId": "e"} for _ in Entries]}

    def _query(self, FunctionName: str, Payload: bytes) -> Any:
        assert FunctionName == "cordyna-query"
        return {
            "Payload": BytesIO(answer(json.loads(Payload), self._ports).model_dump_json().encode())
        }

    def _log(
        self, logGroupName: str, startTime: int = 0, filterPattern: str = '""', **_: Any
    ) -> Any:
        if logGroupName not in self.groups:
            raise refused("ResourceNotFoundException", "FilterLogEvents")
        term = filterPattern.strip('"')
        return {
            "events": [
                line
                for line in self.groups[logGroupName]
                if term in line["message"] and line["timestamp"] >= startTime
            ]
        }


class _CloudBus:
    def __init__(self, cloud: MemoryCloud) -> None:
        self._cloud = cloud

    def publish(self, messages: Any) -> None:
        for message in messages:
            self._cloud.publish(message, SCHEDULER if isinstance(message, InvokeTask) else CEREBRO)


class _CloudTimers:
    """Only notices arrive: a test decides what time does."""

    def __init__(self, cloud: MemoryCloud) -> None:
        self._cloud = cloud

    def send_page_timer(self, ring: PageTimer) -> None: ...

    def send_fan_out(self, walk: FanOut) -> None: ...

    def send_overdue_check(self, check: OverdueCheck) -> None: ...

    def send_incident_timer(self, timer: AnyIncidentTimer) -> None: ...

    def send_incident_notice(self, notice: IncidentNotice) -> None:
        self._cloud.deliver(encode_internal(notice))


class _NullCrons:
    def apply(self, graph: Graph) -> None: ...
