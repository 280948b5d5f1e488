"""Lambda entry: a task server as a Lambda, and the door before one that has a work queue.

Law: a command is acknowledged once it is done. What fails is not acknowledged: a record of the queue is delivered again, an
event of the bus goes to the rule's dead-letter queue, and cerebro's clock tells.

A function begins in `handler`, in `worker` (behind a work queue) or in `door` (before it); they load the server that
CORDYNA_SERVER names. A team that deploys by its own means writes `handler = server.lambda_handler`, which is all three: behind
the queue when it is called with records, at the door when CORDYNA_QUEUE_URL is set. What they are called with:

    RunTask           runs it; at a door says `queued`, and puts it on the work queue
    CancelTask        notes it: a body in this process, or in any where there is a claims table, sees `ctx.cancelled`
    DescribeServer, {"declare": true}, or nothing (a CDK trigger, after a deployment)
                      declares the server; at a door puts it on the work queue, which wakes a container
"""

import json
import logging
from functools import cache
from typing import Any

from cordyna_core.aws.inbound_event import Event, is_request_to_declare, parse_command_event
from cordyna_core.aws.queue_ingress import enqueue
from cordyna_core.aws.runtime import ServerRuntime, build_server_runtime, work_queue
from cordyna_core.aws.settings import server_settings
from cordyna_core.contract.base import Message, meta_at
from cordyna_core.contract.commands import CancelTask, DescribeServer, RunTask
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.state_updates import ServerStateChanged
from cordyna_core.errors import Fatal, UserError
from cordyna_core.server.attempt import PRODUCER
from cordyna_core.server.loading import load_server
from cordyna_core.server.task_server import TaskServer

_log = logging.getLogger("cordyna.server")


def handler(event: Event | None, context: object = None) -> dict[str, Any] | None:
    """The function that a rule leads to."""
    return handle(_server(), event or {})


worker = handler
"""The function behind a work queue."""


def door(event: Event | None, context: object = None) -> None:
    """The function before a work queue."""
    enqueue(event or {}, work_queue(), build_server_runtime)


def handle(
    server: TaskServer, event: Event, *, platform: ServerRuntime | None = None
) -> dict[str, Any] | None:
    """What `server.lambda_handler` does. Raises whatever was not handled."""
    here = build_server_runtime(server.name) if platform is None else platform
    if "Records" in event:
        return _work(server, event["Records"], here)
    if here.queue is not None:
        enqueue(event, here.queue, lambda _: here)
    else:
        handle_command(server, event, here, queued=False)
    return None


@cache
def _server() -> TaskServer:
    target = server_settings().server
    if target is None:
        raise UserError(
            "this function does not know its server",
            next="set CORDYNA_SERVER to package.module:name",
        )
    return load_server(target)


def handle_command(server: TaskServer, event: Event, here: ServerRuntime, *, queued: bool) -> None:
    """Do what an event asks of the server. Raises MalformedEvent, Fatal for what no server does, and what AWS answers."""
    if is_request_to_declare(event):
        declare(server, here)
        return
    match parse_command_event(event).message:
        case RunTask() as command:
            cancelled = here.cancellations.of(command)
            with here.log.of(command):
                server.run(
                    command,
                    bus=here.bus,
                    clock=here.clock,
                    queued=queued,
                    claims=here.claims,
                    cancelled=cancelled,
                )
        case CancelTask() as command:
            here.cancellations.note(command)
        case DescribeServer() as command:
            declare(server, here, cause=command)
        case other:
            raise Fatal(f"a task server does not hear {type(other).__name__}")


def declare(server: TaskServer, here: ServerRuntime, *, cause: Message | None = None) -> None:
    """Tell cerebro all tasks of the server, and that it is ready. Raises what the bus raises."""
    now = here.clock()
    cause_id = cause.meta.id if cause is not None and cause.meta is not None else None

    def signed(message: Message) -> Message:
        meta = meta_at(
            now, derived_id(type(message).__name__, server.name, cause_id or f"{now:.6f}"), cause_id
        )
        return message.model_copy(update={"meta": meta.model_copy(update={"producer": PRODUCER})})

    here.bus.publish(
        [signed(server.declaration), signed(ServerStateChanged(server=server.name, state="ready"))]
    )


def _work(server: TaskServer, records: list[dict[str, Any]], here: ServerRuntime) -> dict[str, Any]:
    again = []
    for record in records:
        try:
            handle_command(server, json.loads(record["body"]), here, queued=True)
        except Exception:
            _log.exception(
                "message %s was not handled and will be delivered again", record["messageId"]
            )
            again.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": again}
