"""Command handler: what a task server on AWS does with an event that it receives.

Invariant: a command is acknowledged once it is done. What fails is not acknowledged: a record of
the queue is delivered again, an event of the bus goes to the rule's dead-letter queue, and the
clocks of cerebro end the attempt.

    RunTask           runs it; before a work queue puts it on the queue, and acknowledges it
    CancelTask        notes it; the body in this process, or in any process that shares a claims
                      table, sees `ctx.cancelled`
    DescribeServer, {"declare": true}, or nothing (a CDK trigger, after a deployment)
                      declares the server; before a work queue is put on the queue, which wakes a
                      container
"""

import json
import logging
from contextlib import nullcontext
from typing import Any, Final

from cordyna_core.aws.acknowledgement import was_queued
from cordyna_core.aws.inbound_event import Event, is_request_to_declare, parse_command_event
from cordyna_core.aws.queue_ingress import enqueue
from cordyna_core.aws.runtime import ServerRuntime, build_server_runtime
from cordyna_core.aws.visibility import VISIBILITY_S, kept_visible_to_this_worker
from cordyna_core.aws.work_queue import RECEIVE_COUNT, QueuedCommand, WorkQueue
from cordyna_core.aws.worker_death import ObservedClaims, RunsElsewhere, report_death
from cordyna_core.contract.commands import CancelTask, DescribeServer, RunTask
from cordyna_core.errors import Fatal
from cordyna_core.ports import TaskRunner

DELIVERIES_KEPT_MAX: Final = 4
"""Deliveries beside a running body after which a message is kept; a fifth one would make it a dead
letter, so then the run clock alone guards the attempt.
"""

_log = logging.getLogger("cordyna.server")


def handle_event(
    server: TaskRunner, event: Event, *, runtime: ServerRuntime | None = None
) -> dict[str, Any] | None:
    """Handle an event of the bus or records of the queue; `runtime` defaults to the process's.

    Returns the failed records, if it was called with records. Raises what was not handled.
    """
    runtime = build_server_runtime(server.name) if runtime is None else runtime
    if "Records" not in event and runtime.queue is not None:
        enqueue(event, runtime.queue, lambda _: runtime, lambda _: server)
        return None
    if runtime.start_sender is not None:
        # It answers while the claim is made.
        runtime.start_sender.start()
    if "Records" in event:
        return _handle_records(server, event["Records"], runtime)
    handle_command(server, event, runtime, from_queue=False, claims=observed_claims(runtime))
    return None


def observed_claims(runtime: ServerRuntime) -> ObservedClaims | None:
    """Return the claims of one delivery; None without a claims table."""
    return None if runtime.claims is None else ObservedClaims(runtime.claims)


def keep_beside_running_body(queue: WorkQueue, delivery: QueuedCommand) -> None:
    """Have a message of a running attempt delivered again, each time twice as late.

    Raises what the queue raises.
    """
    queue.hold(delivery, VISIBILITY_S * 2 ** (delivery.deliveries - 1))


def handle_command(
    server: TaskRunner,
    event: Event,
    runtime: ServerRuntime,
    *,
    from_queue: bool,
    claims: ObservedClaims | None,
    deliveries: int = 1,
) -> None:
    """Do what an event asks of the server, which comes from its work queue or from the bus.

    `deliveries` counts those of its message. A second one whose attempt is claimed by a process
    that does not renew its lease means that this worker died, which is reported.

    Raises:
        RunsElsewhere: another process runs the attempt; keep the message.
        MalformedEvent: it is not of the contract.
        Fatal: it is not a command of cerebro to a task server.
        Exception: what AWS answers.
    """
    if is_request_to_declare(event):
        server.declare(bus=runtime.bus, clock=runtime.clock)
        return
    match parse_command_event(event).message:
        case RunTask() as command:
            queued = from_queue and was_queued(event, command, runtime)
            _run(server, command, runtime, queued=queued, claims=claims)
            if deliveries > 1 and claims is not None and claims.was_refused:
                _judge_redelivery(command, runtime, claims, deliveries)
        case CancelTask() as command:
            runtime.cancellations.note(command)
        case DescribeServer() as command:
            server.declare(bus=runtime.bus, clock=runtime.clock, cause=command)
        case other:
            raise Fatal(f"{type(other).__name__} is not a command to a task server")


def _run(
    server: TaskRunner,
    command: RunTask,
    runtime: ServerRuntime,
    *,
    queued: bool,
    claims: ObservedClaims | None,
) -> None:
    cancelled = runtime.cancellations.of(command)
    with runtime.log.attempt(command):
        server.run(
            command,
            bus=runtime.bus,
            clock=runtime.clock,
            queued=queued,
            claims=claims,
            cancelled=cancelled,
            hold=runtime.hold,
        )


def _judge_redelivery(
    command: RunTask, runtime: ServerRuntime, claims: ObservedClaims, deliveries: int
) -> None:
    """Decide what a message means whose attempt another process has claimed."""
    if not claims.is_held_elsewhere():
        report_death(command, runtime, "its worker ended without a result")
    elif deliveries <= DELIVERIES_KEPT_MAX:
        raise RunsElsewhere(f"another worker runs {command.task}, attempt {command.attempt}")


def _handle_records(
    server: TaskRunner, records: list[dict[str, Any]], runtime: ServerRuntime
) -> dict[str, Any]:
    failed = []
    for record in records:
        try:
            _handle_record(server, record, runtime)
        except RunsElsewhere as elsewhere:
            _log.warning("message %s was delivered twice: %s", record["messageId"], elsewhere)
            failed.append({"itemIdentifier": record["messageId"]})
        except Exception:  # noqa: BLE001  the record is delivered again, whatever failed
            _log.exception(
                "message %s was not handled and will be delivered again", record["messageId"]
            )
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _handle_record(server: TaskRunner, record: dict[str, Any], runtime: ServerRuntime) -> None:
    delivery = QueuedCommand(
        record["body"],
        record.get("receiptHandle", ""),
        int(record.get("attributes", {}).get(RECEIVE_COUNT, 1)),
    )
    claims = observed_claims(runtime)
    keeping = (
        nullcontext()
        if runtime.queue is None
        else kept_visible_to_this_worker(runtime.queue, delivery, claims)
    )
    try:
        with keeping:
            handle_command(
                server,
                json.loads(delivery.body),
                runtime,
                from_queue=True,
                claims=claims,
                deliveries=delivery.deliveries,
            )
    except RunsElsewhere:
        if runtime.queue is not None:
            keep_beside_running_body(runtime.queue, delivery)
        raise
