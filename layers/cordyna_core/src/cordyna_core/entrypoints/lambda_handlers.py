"""Lambda handlers: the functions where a deployed task server begins.

Invariant: a function loads the server that CORDYNA_SERVER names, once per process; the functions
before a work queue need none of the server's code.

`handler` is the target of a rule of the bus, `worker` that of a work queue, `ingress` the function
that fills the queue, `checks` that of the queue of checks. A team that deploys by its own means
writes `handler = server.lambda_handler` instead, which is the first three, without checks: `worker`
when it is called with records, `ingress` when CORDYNA_QUEUE_URL is set.
"""

from functools import cache
from typing import Any

from cordyna_core.aws.acknowledgement import acknowledge
from cordyna_core.aws.command_handler import handle_event
from cordyna_core.aws.inbound_event import Event
from cordyna_core.aws.queue_ingress import enqueue
from cordyna_core.aws.runtime import build_server_runtime, check_queue, work_queue
from cordyna_core.aws.settings import server_settings
from cordyna_core.aws.worker_death import report_failed_invocation
from cordyna_core.errors import UserError
from cordyna_core.server.program import load_program
from cordyna_core.server.task_server import TaskServer


def handler(event: Event | None, context: object = None) -> dict[str, Any] | None:
    """Handle an event of the bus. Raises what was not handled."""
    return handle_event(_server(), event or {})


worker = handler
"""Handle the records of a work queue."""


def ingress(event: Event | None, context: object = None) -> None:
    """Put an event of the bus on the work queue. Raises what was not handled."""
    # Every task server reports `queued` alike, so one without tasks is enough.
    enqueue(event or {}, work_queue(), build_server_runtime, TaskServer, check_queue())


def checks(event: dict[str, Any], context: object = None) -> dict[str, Any]:
    """Handle the records of the queue of checks; return the failed ones."""
    return acknowledge(event["Records"], build_server_runtime)


def failed(record: dict[str, Any], context: object = None) -> None:
    """Report an attempt whose function died: the on-failure destination of `handler`."""
    source = record["requestPayload"]["detail"]["server"]
    report_failed_invocation(record, build_server_runtime(source))


@cache
def _server() -> TaskServer:
    target = server_settings().server
    if target is None:
        raise UserError(
            "this function has no task server",
            next="set CORDYNA_SERVER to package.module:name",
        )
    return load_program(target)
