"""Cerebro's handlers and AWS adapters on moto, in virtual time, with task servers that answer at
once.

Every delivery takes HOP_S, which decides only how many page timers a run needs, how long they wait
and what a batch holds. After a wait the state machine reads the run, and drops the timer of a
completed one (infra/cordyna_infra/timers.py).
"""

import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import count, cycle
from typing import Any, Final, Self

import boto3
from counting import ENVELOPE_BYTES, Counts, Hooks
from graphs import Graph
from moto import mock_aws

from cerebro.adapters.aws.timers import EARLY_LOOKS_S
from cerebro.dispatch import handler_of
from cerebro.handlers.receive import BatchResult, Delivery, receive
from cerebro.lambdas.wiring import CerebroSettings, aws_ports
from cerebro.shell import Ports
from cordyna_core.contract.base import Message, State, meta_at
from cordyna_core.contract.commands import InvokeTask, RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import detail_json, seal
from cordyna_core.contract.ids import CLIENT, derived_id, run_id_of, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc

SWEEP_READS: Final = 0.5
"""What a sweep adds to the cost of every run: it reads each once, to find those that are active."""

HOP_S: Final = 0.1
"""About the time of bus -> queue -> Lambda (published medians are 0.1 to 0.2 s)."""

WARM: Final = {"registry": 1, "planner": 1, "tracker": 4, "timekeeper": 1, "incidents": 1}
"""Warm Lambdas of each handler, each with caches of its own."""

_WAIT: Final = "wait"
"""What waits in the state machine; the others are names of handlers."""

SERVERS: Final = 2
BEGIN: Final = 1_790_000_000.0

_SETTINGS: Final = {
    "table": "cordyna",
    "timekeeper_queue_arn": "arn:aws:sqs:eu-central-1:123456789012:timekeeper",
    "wait_state_machine_arn": "arn:aws:states:eu-central-1:123456789012:stateMachine:wait",
    "schedule_group": "cordyna",
    "scheduler_role_arn": "arn:aws:iam::123456789012:role/scheduler",
}


class AwsWorld:
    """One deployment; use as a context.

    `batch`: the most messages in one invocation of a Lambda. `reported`: the states that servers
    report of each attempt. `make_client`: of a service of AWS. `handle`: what a Lambda does with a
    batch.
    """

    def __init__(
        self,
        batch: int = 1,
        timers: str = "states",
        *,
        reported: tuple[State, ...] = ("completed",),
        make_client: Callable[[str], Any] | None = None,
        handle: Callable[[Sequence[Delivery], Ports], BatchResult] = receive,
    ) -> None:
        self.now = BEGIN
        self._make_client, self._handle = make_client or client_of, handle
        self._batch, self._timers = batch, timers
        self._reported = reported
        self._in_flight: list[tuple[float, int, str, str]] = []
        self._tickets = count()
        self._mock = mock_aws()
        self._hooks = Hooks()

    def __enter__(self) -> Self:
        self._mock.start()
        clients = {
            service: self._make_client(service)
            for service in ("dynamodb", "events", "sqs", "stepfunctions", "scheduler")
        }
        self._dynamodb = clients["dynamodb"]
        settings = self._deploy(clients)
        self._warm: dict[str, Iterator[Ports]] = {
            handler: cycle(
                [aws_ports(settings, clients.__getitem__, lambda: self.now) for _ in range(number)]
            )
            for handler, number in WARM.items()
        }
        for client in clients.values():
            self._hooks.attach(client)
        return self

    def __exit__(self, *_: object) -> None:
        self._mock.stop()

    def declare(self, graph: Graph) -> None:
        """Declare the graph's tasks on the servers."""
        tasks: dict[str, list[dict[str, Any]]] = {}
        for place, (name, upstream) in enumerate(graph.items()):
            tasks.setdefault(f"server-{place % SERVERS}", []).append(
                {"name": name, "upstream": list(upstream)}
            )
        for server, declared in tasks.items():
            self._publish(
                ServerDeclared.model_validate({"server": server, "tasks": declared}),
                server_source(server),
            )
        self._deliver_all()

    def run(self, graph: Graph) -> Counts:
        """Invoke the graph's last task, deliver until nothing is in flight, and return what the run
        cost.
        """
        target, key = list(graph)[-1], derived_id("run", next(self._tickets))
        counts = self._hooks.counts = Counts()
        self._publish(InvokeTask(task=target, key=key), CLIENT)
        self._deliver_all()
        counts.reads += SWEEP_READS
        self._hooks.counts = Counts()
        run = next(self._warm["planner"]).store.read_run(run_id_of(target, key))
        assert run is not None
        assert run.status == "completed", run
        return counts

    def _deliver_all(self) -> None:
        """Deliver messages until none is in flight."""
        while self._in_flight:
            self.now = max(self.now, self._in_flight[0][0])
            if self._in_flight[0][2] == _WAIT:
                self._end_wait(json.loads(heapq.heappop(self._in_flight)[3]))
                continue
            handler, batch = self._next_batch()
            self._hooks.counts.invocations += 1
            self._hooks.counts.messages += len(batch)
            outcome = self._handle(batch, next(self._warm[handler]))
            assert not outcome.again
            assert not outcome.dead_letters, outcome.dead_letters

    def _next_batch(self) -> tuple[str, list[Delivery]]:
        """Return the messages that are due for the next handler, at most a batch."""
        _, ticket, handler, body = heapq.heappop(self._in_flight)
        batch, others = [Delivery(str(ticket), body)], []
        while (
            self._in_flight
            and len(batch) < self._batch
            and self._in_flight[0][0] <= self.now + HOP_S / 10
        ):
            waiting = heapq.heappop(self._in_flight)
            if waiting[2] == handler:
                batch.append(Delivery(str(waiting[1]), waiting[3]))
            else:
                others.append(waiting)
        for other in others:
            heapq.heappush(self._in_flight, other)
        return handler, batch

    def _deploy(self, clients: dict[str, Any]) -> CerebroSettings:
        clients["dynamodb"].create_table(
            TableName=_SETTINGS["table"],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        clients["events"].create_event_bus(Name="cordyna")
        clients["scheduler"].create_schedule_group(Name=_SETTINGS["schedule_group"])
        queues = {
            f"{name}_queue_url": clients["sqs"].create_queue(QueueName=name)["QueueUrl"]
            for name in ("timekeeper", "tracker", "incidents")
        }
        clients["events"].meta.events.register(
            "provide-client-params.events.PutEvents", self._on_put_events
        )
        clients["sqs"].meta.events.register(
            "provide-client-params.sqs.SendMessage", self._on_send_message
        )
        clients["stepfunctions"].meta.events.register(
            "provide-client-params.stepfunctions.StartExecution", self._on_start_execution
        )
        # Moto's state machines would wait in real time.
        clients["stepfunctions"].meta.events.register(
            "before-call.sfn.StartExecution", lambda **_: (_Ok(), {})
        )
        return CerebroSettings.model_validate({**_SETTINGS, **queues, "timers": self._timers})

    def _on_put_events(self, params: dict[str, Any], **_: object) -> None:
        """The bus: servers start and complete each command at once, and report that."""
        for entry in params["Entries"]:
            if entry["DetailType"] == RunTask.__name__:
                command = RunTask.model_validate_json(entry["Detail"])
                for moment, state in enumerate(self._reported):
                    fields = {
                        name: getattr(command, name)
                        for name in ("server", "run_id", "task", "attempt")
                    }
                    if state == "completed" and "started" not in self._reported:
                        fields["started_at"] = utc(self.now + HOP_S)
                    update = TaskStateChanged.model_validate({**fields, "state": state})
                    self._publish(
                        update, server_source(command.server), after=HOP_S + moment / 1000
                    )

    def _publish(self, message: Message, source: str, after: float = 0.0) -> None:
        """Put a message on the bus from another source than cerebro."""
        self._hooks.counts.events += 1
        self._hooks.counts.event_bytes += len(detail_json(message)) + ENVELOPE_BYTES
        handler = handler_of(source, type(message).__name__)
        assert handler is not None
        at, name = self.now + after, derived_id("event", next(self._tickets))
        self._send(
            handler,
            seal(message.model_copy(update={"meta": meta_at(at, name)}), source, name, utc(at)),
            at,
        )

    def _on_send_message(self, params: dict[str, Any], **_: object) -> None:
        at = self.now + params.get("DelaySeconds", 0)
        self._send(params["QueueUrl"].rpartition("/")[2], params["MessageBody"], at)

    def _on_start_execution(self, params: dict[str, Any], **_: object) -> None:
        waiting = json.loads(params["input"])
        names = (*EARLY_LOOKS_S, "seconds")
        self._wait(waiting | {"waits": [waiting[name] for name in names if name in waiting]})

    def _wait(self, waiting: dict[str, Any]) -> None:
        entry = (self.now + waiting["waits"][0], next(self._tickets), _WAIT, json.dumps(waiting))
        heapq.heappush(self._in_flight, entry)

    def _end_wait(self, waiting: dict[str, Any]) -> None:
        waited, *waits = waiting["waits"]
        self._hooks.counts.waited_s += waited
        found = self._dynamodb.get_item(
            TableName=_SETTINGS["table"],
            Key={"pk": {"S": waiting["run"]}, "sk": {"S": "META"}},
            ConsistentRead=True,
        )
        # The state machine makes this call, which takes no time of a function.
        self._hooks.counts.calls["GetItem"] -= 1
        if found["Item"]["status"]["S"] == "completed":
            return
        if waits:
            self._wait(waiting | {"waits": waits})
        else:
            self._send("timekeeper", waiting["body"], self.now)

    def _send(self, handler: str, body: str, at: float) -> None:
        heapq.heappush(self._in_flight, (at + HOP_S, next(self._tickets), handler, body))


class _Ok:
    """The part of an HTTP response that botocore reads."""

    status_code = 200


def client_of(service: str) -> Any:
    return boto3.client(
        service,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )  # type: ignore[call-overload]
