"""Queue ingress: before a task server with a work queue, acknowledges commands and queues them.

`queued` of a command is published at once, or, where the ingress has a queue of checks, some
seconds later if its body has not begun (`acknowledgement`).

Invariant: what is to publish `queued` comes before the command is on the queue, because a body
starts after `ack_by` only if `queued` was published (docs/rules.md, rule 6). If the queue then
cannot be reached, the attempt is reported as failed, instead of waiting for a clock.

It needs none of the server's code: the command names the server, and the role of the function may
publish as that server only.
"""

import json
import logging
from collections.abc import Callable
from typing import Final

from cordyna_core.aws.acknowledgement import QUEUED, check_of
from cordyna_core.aws.inbound_event import Event, is_request_to_declare, parse_command_event
from cordyna_core.aws.runtime import ServerRuntime
from cordyna_core.aws.work_queue import WorkQueue
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.ports import TaskRunner
from cordyna_core.queued_hold import queued_hold_s

_MAX_MESSAGE_CHARS: Final = 1024

_log = logging.getLogger("cordyna.server")


def enqueue(
    event: Event,
    queue: WorkQueue,
    runtime_of: Callable[[str], ServerRuntime],
    server_of: Callable[[str], TaskRunner],
    checks: WorkQueue | None = None,
) -> None:
    """Put an event on the work queue if it is for a worker.

    `runtime_of` and `server_of` return the runtime and the server of a name. `checks` delays its
    messages as they say, and `acknowledge` handles them; None: `queued` is published at once.

    Raises:
        MalformedEvent: it is not of the contract.
        Fatal: it is not a command of cerebro to a task server.
        Exception: what AWS answers.
    """
    if is_request_to_declare(event):
        queue.send(json.dumps({"declare": True}))
        return
    match parse_command_event(event).message:
        case RunTask() as command:
            server, runtime = server_of(command.server), runtime_of(command.server)
            if checks is not None and _is_left_to_check(command, runtime, checks):
                _send(command, {**event, QUEUED: False}, queue, server, runtime)
            elif server.queue(command, bus=runtime.bus, clock=runtime.clock):
                _send(command, event, queue, server, runtime)
        case CancelTask() as command:
            runtime = runtime_of(command.server)
            runtime.cancellations.note(command)
            if runtime.claims is None:
                # Only the worker that happens to receive it can be informed.
                queue.send(json.dumps(event))
        case _:
            queue.send(json.dumps(event))


def _is_left_to_check(command: RunTask, runtime: ServerRuntime, checks: WorkQueue) -> bool:
    """Send a check of the command; return whether `queued` can wait for it."""
    hold_s = queued_hold_s(command, runtime.clock())
    if runtime.claims is None or not hold_s:
        return False
    try:
        checks.send(check_of(command), delay_s=hold_s)
    except Exception:  # noqa: BLE001  `queued` is published now instead
        _log.warning("the queue of checks did not accept a check", exc_info=True)
        return False
    return True


def _send(
    command: RunTask, event: Event, queue: WorkQueue, server: TaskRunner, runtime: ServerRuntime
) -> None:
    try:
        queue.send(json.dumps(event))
    except Exception as unreachable:
        text = f"the work queue did not accept the command: {unreachable}"
        error = ErrorDescription(type=type(unreachable).__name__, message=text[:_MAX_MESSAGE_CHARS])
        server.fail(command, error, bus=runtime.bus, clock=runtime.clock)
        raise
