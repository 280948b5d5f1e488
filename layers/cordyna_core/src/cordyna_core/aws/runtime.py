"""Runtime: the adapters of a task server on AWS, built once per process.

Invariant: everything that calls AWS is made here, from the settings.
"""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

from cordyna_core.aws.claims import DynamoDBClaims
from cordyna_core.aws.clients import client, session
from cordyna_core.aws.eventbridge import EventBridgeBus
from cordyna_core.aws.settings import ServerSettings, server_settings
from cordyna_core.aws.signed_event import event_signer
from cordyna_core.aws.start_sender import StartSender
from cordyna_core.aws.task_log import TaskLog
from cordyna_core.aws.work_queue import LONG_POLL_S, WorkQueue
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.ids import server_source
from cordyna_core.errors import UserError
from cordyna_core.ports import Bus, Claims, Clock
from cordyna_core.start_hold import AT_ONCE, StartHold

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

CANCELLED_READ_INTERVAL_S: Final = 5.0
"""The table is read at most this often, however often a body reads `ctx.cancelled`."""


_log = logging.getLogger("cordyna.server")


class CancellableClaims(Claims, Protocol):
    """Claims that also store cancellations, leases and `queued`, for all instances of a server."""

    def renew(self, run_id: str, task: str, attempt: int) -> None: ...

    def is_leased(self, run_id: str, task: str, attempt: int) -> bool: ...

    def cancel(self, run_id: str, task: str, attempt: int) -> None: ...

    def is_cancelled(self, run_id: str, task: str, attempt: int) -> bool: ...

    def claimed(self, attempts: Sequence[tuple[str, str, int]]) -> set[tuple[str, str, int]]: ...

    def note_queued(self, run_id: str, task: str, attempt: int) -> None: ...

    def is_queued(self, run_id: str, task: str, attempt: int) -> bool: ...


class Cancellations:
    """The attempts that shall stop.

    They are known to this process, and with a claims table to all instances of the server.
    """

    def __init__(self, claims: CancellableClaims | None, clock: Clock) -> None:
        self._claims, self._clock = claims, clock
        self._noted: set[tuple[str, str, int]] = set()

    def note(self, command: CancelTask) -> None:
        """Store a cancellation. Raises what the claims raise."""
        attempt = (command.run_id, command.task, command.attempt)
        self._noted.add(attempt)
        if self._claims is not None:
            self._claims.cancel(*attempt)

    def of(self, command: RunTask) -> "AttemptCancellation":
        """Return what knows whether this attempt shall stop."""
        return AttemptCancellation(
            (command.run_id, command.task, command.attempt), self._noted, self._claims, self._clock
        )


class AttemptCancellation:
    """Implements server.cancellation.Cancellation for one attempt.

    A table calls no one back: while an `async def` body runs, it is read every
    CANCELLED_READ_INTERVAL_S.
    """

    def __init__(
        self,
        attempt: tuple[str, str, int],
        noted: set[tuple[str, str, int]],
        claims: CancellableClaims | None,
        clock: Clock,
    ) -> None:
        self._attempt, self._noted, self._claims, self._clock = attempt, noted, claims, clock
        # The claim of an attempt that was cancelled before fails, so the first read can wait.
        self._read_at = clock() + CANCELLED_READ_INTERVAL_S

    def __call__(self) -> bool:
        """Read whether this attempt shall stop. Raises what the claims raise."""
        attempt = self._attempt
        if attempt not in self._noted and self._claims is not None:
            if self._clock() < self._read_at:
                return False
            self._read_at = self._clock() + CANCELLED_READ_INTERVAL_S
            if self._claims.is_cancelled(*attempt):
                self._noted.add(attempt)
        return attempt in self._noted

    def watch(self, loop: "AbstractEventLoop", interrupt: Callable[[], None]) -> Callable[[], None]:
        if self._claims is None:
            return lambda: None

        async def read_until_cancelled() -> None:
            while not await loop.run_in_executor(None, self._reads_cancelled):  # noqa: ASYNC110  a table
                await asyncio.sleep(CANCELLED_READ_INTERVAL_S)
            interrupt()

        # Imported here: asyncio would make every cold start 20 ms longer.
        import asyncio  # noqa: PLC0415  an event loop runs, so it is imported already

        reading = loop.create_task(read_until_cancelled())

        def unwatch() -> None:
            reading.cancel()

        return unwatch

    def _reads_cancelled(self) -> bool:
        try:
            return self()
        except Exception:  # noqa: BLE001  it is read again soon
            _log.warning("whether the attempt is cancelled could not be read", exc_info=True)
            return False


@dataclass(frozen=True, slots=True)
class ServerRuntime:
    """The adapters of one server.

    `queue` is None without a work queue, `start_sender` without a hold.
    """

    bus: Bus
    claims: CancellableClaims | None
    queue: WorkQueue | None
    cancellations: Cancellations
    log: TaskLog
    clock: Clock
    hold: StartHold = AT_ONCE
    start_sender: StartSender | None = None


@cache
def build_server_runtime(server: str) -> ServerRuntime:
    """Return the runtime of this process's server."""
    return build_runtime(server, server_settings())


@cache
def work_queue() -> WorkQueue:
    """Return the work queue of this process's server. Raises UserError if none is named."""
    queue = _queue(server_settings().queue_url)
    if queue is None:
        raise UserError(
            "no work queue is named",
            next="set CORDYNA_QUEUE_URL to the URL of the server's work queue",
        )
    return queue


@cache
def check_queue() -> WorkQueue | None:
    """Return the queue of checks of this process's queue ingress, if one is named."""
    return _queue(server_settings().check_queue_url)


def build_runtime(server: str, settings: ServerSettings) -> ServerRuntime:
    """Build the runtime that `settings` describe."""
    clock = time.time
    bus = EventBridgeBus(client("events"), bus=settings.bus, source=server_source(server))
    hold, start_sender = _hold(settings, bus)
    claims = (
        DynamoDBClaims(client("dynamodb"), settings.claims_table, clock)
        if settings.claims_table
        else None
    )
    log = TaskLog(sys.stdout, clock)
    log.install()
    return ServerRuntime(
        bus,
        claims,
        _queue(settings.queue_url),
        Cancellations(claims, clock),
        log,
        clock,
        hold,
        start_sender,
    )


def _hold(settings: ServerSettings, bus: EventBridgeBus) -> tuple[StartHold, StartSender | None]:
    if not settings.started_after_s:
        return AT_ONCE, None
    sign = event_signer(client("events"), session())
    sender = StartSender(lambda started: sign(bus.entry_of(started)))
    return StartHold(settings.started_after_s, sender.hold), sender


def _queue(url: str | None) -> WorkQueue | None:
    # The timeout exceeds a long poll, which would look like a service that does not answer.
    return WorkQueue(client("sqs", read_timeout_s=LONG_POLL_S + 10), url) if url else None
