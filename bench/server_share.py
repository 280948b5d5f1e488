"""What a task server on AWS pays for one command, beside its body: calls counted on moto.

The library's own handlers run: the queue ingress, the worker, and the check that publishes `queued`
if the body has not begun. The events that they publish are cerebro's share, which `cost` counts.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final

import boto3
import prices
from counting import Counts, Hooks
from moto import mock_aws

from cordyna_core import TaskServer
from cordyna_core.aws.acknowledgement import acknowledge
from cordyna_core.aws.claims import DynamoDBClaims
from cordyna_core.aws.command_handler import handle_event
from cordyna_core.aws.queue_ingress import enqueue
from cordyna_core.aws.runtime import Cancellations, ServerRuntime
from cordyna_core.aws.task_log import TaskLog
from cordyna_core.aws.work_queue import WorkQueue
from cordyna_core.contract.base import Message, meta_at
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CEREBRO, derived_id
from cordyna_core.contract.time import utc
from cordyna_core.start_hold import DEFAULT_HOLD_S, StartHold, not_sent

WAITS: Final = {
    "no work queue": None,
    "a work queue, and a free worker": False,
    "a work queue, and no free worker": True,
}
"""Kind of a server -> whether its body begins after the check; None: there is no check."""

_SERVER: Final = "sales"
_POLLED: Final = 2
"""Requests of the poller for a message that comes alone: to receive and to delete it."""


@dataclass
class _Share:
    """The clients of one server, and what it has spent."""

    counts: Counts
    polled: int = 0

    @property
    def queue_requests(self) -> int:
        calls = self.counts.calls
        sent = calls["SendMessage"] + calls["ChangeMessageVisibility"]
        return sent + _POLLED * self.polled

    @property
    def parts(self) -> dict[str, float]:
        """Dollars for a million commands."""
        counts = self.counts
        spent_ms = sum(prices.CALL_MS[name] * times for name, times in counts.calls.items())
        spent_ms += prices.OWN_MS * counts.invocations
        return {
            "invocations": counts.invocations * prices.INVOCATION.per_million,
            "claims": counts.writes * prices.WRITE.per_million
            + counts.reads * prices.READ.per_million,
            "queues": self.queue_requests * prices.QUEUE_REQUEST.per_million,
            "Lambda": spent_ms / 1000 * prices.LAMBDA_GB * prices.GB_SECOND.per_million,
        }


class _Bus:
    """A bus whose events are cerebro's share, and the time to send them the server's."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def publish(self, messages: Sequence[Message]) -> None:
        self._counts.calls["PutEvents"] += 1


class _Undelayed(WorkQueue):
    """The queue of checks; what is sent can be received at once."""

    def send(self, body: str, *, delay_s: int = 0) -> None:
        assert delay_s
        super().send(body)


def shares() -> dict[str, dict[str, float]]:
    """Return kinds of servers -> parts of the price of a million commands."""
    return {
        kind: _without_a_queue() if waits is None else _behind_a_queue(waits=waits)
        for kind, waits in WAITS.items()
    }


def _without_a_queue() -> dict[str, float]:
    with mock_aws():
        server, runtime, hooks, _ = _deployed(queue=None)
        hooks.counts.invocations += 1
        handle_event(server, _command(), runtime=runtime)
        return _Share(hooks.counts).parts


def _behind_a_queue(*, waits: bool) -> dict[str, float]:
    with mock_aws():
        poller = boto3.client("sqs", region_name="us-east-1")
        work, checks = (poller.create_queue(QueueName=name)["QueueUrl"] for name in ("w", "c"))
        server, runtime, hooks, sqs = _deployed(queue=work)
        share = _Share(hooks.counts)
        hooks.counts.invocations += 1
        enqueue(
            _command(), WorkQueue(sqs, work), lambda _: runtime, TaskServer, _Undelayed(sqs, checks)
        )

        def run() -> None:
            handle_event(server, {"Records": _polled(poller, work)}, runtime=runtime)

        def check() -> None:
            acknowledge(_polled(poller, checks), lambda _: runtime)

        steps: list[Callable[[], None]] = [run, check]
        for step in reversed(steps) if waits else steps:
            hooks.counts.invocations += 1
            share.polled += 1
            step()
        return share.parts


def _deployed(*, queue: str | None) -> tuple[TaskServer, ServerRuntime, Hooks, Any]:
    dynamodb = boto3.client("dynamodb", region_name="us-east-1")
    sqs = boto3.client("sqs", region_name="us-east-1")
    dynamodb.create_table(
        TableName="claims",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    hooks = Hooks()
    hooks.attach(dynamodb)
    hooks.attach(sqs)
    claims = DynamoDBClaims(dynamodb, "claims", time.time)
    runtime = ServerRuntime(
        _Bus(hooks.counts),
        claims,
        WorkQueue(sqs, queue) if queue else None,
        Cancellations(claims, time.time),
        TaskLog(StringIO(), time.time),
        time.time,
        # The body ends within the hold, however slow this machine is.
        StartHold(DEFAULT_HOLD_S, lambda *_: not_sent),
    )
    server = TaskServer(_SERVER)
    server.task(name="total")(lambda: 1)
    return server, runtime, hooks, sqs


def _command() -> dict[str, Any]:
    now = time.time()
    command = RunTask(
        server=_SERVER,
        run_id=derived_id("run"),
        task="total",
        attempt=1,
        ack_by=utc(now + 10),
        start_by=utc(now + 600),
        meta=meta_at(now, "the-command"),
    )
    event: dict[str, Any] = json.loads(seal(command, CEREBRO, "event-1", utc(now)))
    return event


def _polled(poller: Any, url: str) -> list[dict[str, Any]]:
    """Return what is on a queue as the records of a Lambda."""
    return [
        {
            "messageId": message["MessageId"],
            "body": message["Body"],
            "receiptHandle": message["ReceiptHandle"],
        }
        for message in poller.receive_message(QueueUrl=url)["Messages"]
    ]
