"""Door: what stands before a server that has a work queue. It says `queued` at once, so that a worker may take its time.

Law: `queued` is said before the command is on the queue, for a body never starts after `ack_by` unless it was said (section 4,
rule 6). When the queue then cannot be reached, the attempt is told to have failed, instead of waiting for its start clock.

A door needs none of the server's code: the command itself names the server, and the door's role lets it speak for that one only.
"""

import json
from collections.abc import Callable

from cordyna_core.aws.inbound_event import Event, is_request_to_declare, parse_command_event
from cordyna_core.aws.runtime import ServerRuntime
from cordyna_core.aws.work_queue import WorkQueue
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.server.attempt import Attempt
from cordyna_core.server.task_server import TaskServer


def enqueue(event: Event, queue: WorkQueue, platform: Callable[[str], ServerRuntime]) -> None:
    """Put an event on the work queue, as far as it is for a worker; `platform` is that of a server, by its name.

    Raises:
        MalformedEvent, Fatal: it is nothing that a server hears.
        Exception: what AWS answers.
    """
    if is_request_to_declare(event):
        queue.send(json.dumps({"declare": True}))
        return
    match parse_command_event(event).message:
        case RunTask() as command:
            here = platform(command.server)
            if TaskServer(command.server).queue(command, bus=here.bus, clock=here.clock):
                _send(command, event, queue, here)
        case CancelTask() as command:
            here = platform(command.server)
            here.cancellations.note(command)
            if here.claims is None:
                # The worker that happens to receive it is the only one that can be told.
                queue.send(json.dumps(event))
        case _:
            queue.send(json.dumps(event))


def _send(command: RunTask, event: Event, queue: WorkQueue, here: ServerRuntime) -> None:
    try:
        queue.send(json.dumps(event))
    except Exception as unreachable:
        told = ErrorDescription(
            type=type(unreachable).__name__,
            message=f"the work queue did not take the command: {unreachable}"[:1024],
        )
        Attempt(command, here.bus, here.clock, lambda: False).say(
            "error", reason="failed", error=told
        )
        raise
