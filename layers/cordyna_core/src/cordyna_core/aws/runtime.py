"""Platform: what a task server stands on when it runs on AWS, put together once per process.

Law: everything that reaches AWS is made here, from the settings; the entries are given it.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

from cordyna_core.aws.claims import DynamoDBClaims
from cordyna_core.aws.clients import client
from cordyna_core.aws.eventbridge import EventBridgeBus
from cordyna_core.aws.settings import ServerSettings, server_settings
from cordyna_core.aws.task_log import TaskLogCapture
from cordyna_core.aws.work_queue import LONG_POLL_S, WorkQueue
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.ids import server_source
from cordyna_core.errors import UserError
from cordyna_core.ports import Bus, Claims, Clock

ASK_AGAIN_S: Final = 5.0
"""A body that asks `ctx.cancelled` all the time makes the table be read once in so long."""


class CancellableClaims(Claims, Protocol):
    """Claims that also hold cancellations, for all instances of a server."""

    def cancel(self, run_id: str, task: str, attempt: int) -> None: ...

    def is_cancelled(self, run_id: str, task: str, attempt: int) -> bool: ...


class Cancellations:
    """The attempts that shall stop: known to this process, or to all instances where there is a claims table."""

    def __init__(self, claims: CancellableClaims | None, clock: Clock) -> None:
        self._claims, self._clock = claims, clock
        self._noted: set[tuple[str, str, int]] = set()

    def note(self, command: CancelTask) -> None:
        """Raises what the claims raise."""
        attempt = (command.run_id, command.task, command.attempt)
        self._noted.add(attempt)
        if self._claims is not None:
            self._claims.cancel(*attempt)

    def of(self, command: RunTask) -> Callable[[], bool]:
        """What tells whether this attempt shall stop."""
        attempt = (command.run_id, command.task, command.attempt)
        # The claim itself fails for an attempt that was cancelled before, so the table is first asked later.
        ask_at = self._clock() + ASK_AGAIN_S

        def is_cancelled() -> bool:
            nonlocal ask_at
            if attempt not in self._noted and self._claims is not None and self._clock() >= ask_at:
                ask_at = self._clock() + ASK_AGAIN_S
                if self._claims.is_cancelled(*attempt):
                    self._noted.add(attempt)
            return attempt in self._noted

        return is_cancelled


@dataclass(frozen=True, slots=True)
class ServerRuntime:
    """`queue` None: nothing stands between the bus and the server."""

    bus: Bus
    claims: CancellableClaims | None
    queue: WorkQueue | None
    cancellations: Cancellations
    log: TaskLogCapture
    clock: Clock


@cache
def build_server_runtime(server: str) -> ServerRuntime:
    """The platform of this process's server."""
    return build_runtime(server, server_settings())


@cache
def work_queue() -> WorkQueue:
    """The queue behind this process's door. Raises UserError where none is named."""
    queue = _queue(server_settings())
    if queue is None:
        raise UserError(
            "no work queue is named",
            next="set CORDYNA_QUEUE_URL to the address of the queue behind the server's door",
        )
    return queue


def build_runtime(server: str, settings: ServerSettings) -> ServerRuntime:
    """The platform that `settings` describe."""
    clock = time.time
    bus = EventBridgeBus(client("events"), bus=settings.bus, source=server_source(server))
    claims = (
        DynamoDBClaims(client("dynamodb"), settings.claims_table, clock)
        if settings.claims_table
        else None
    )
    log = TaskLogCapture(sys.stdout, clock)
    log.install()
    return ServerRuntime(bus, claims, _queue(settings), Cancellations(claims, clock), log, clock)


def _queue(settings: ServerSettings) -> WorkQueue | None:
    # A long poll must not look like a service that does not answer.
    return (
        WorkQueue(client("sqs", read_timeout_s=LONG_POLL_S + 10), settings.queue_url)
        if settings.queue_url
        else None
    )
