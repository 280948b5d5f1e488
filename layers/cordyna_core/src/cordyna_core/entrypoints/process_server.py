"""Process server: a task server whose bodies run in worker processes, for the container.

Theory of operation. The pool of worker processes belongs to one thread, the driver. A thread that
runs an attempt (one for each message of the work queue) hands the command to the driver, waits for
the attempt's events in an inbox of its own, and does with them what the body would have done in a
thread: it publishes messages and prints output. So a slow bus delays one attempt only, and the log
of the process attributes output to the attempt of the thread that prints it.

Invariant: a command is answered by its body, or by the host in its name; or `run` raises, and the
command is delivered again.
"""

import logging
import os
import select
import signal
import sys
import threading
import uuid
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Final, Self

from cordyna_core.attempt import Attempt, is_stale
from cordyna_core.contract.base import ErrorDescription, Message
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.entrypoints.held_start import HeldStart
from cordyna_core.entrypoints.running_attempt import Inbox, RunningAttempt
from cordyna_core.errors import Fatal, UserError
from cordyna_core.ports import Bus, Claims, Clock
from cordyna_core.server.declaring import publish_declaration
from cordyna_core.start_hold import AT_ONCE, StartHold
from cordyna_core.worker.pool import events
from cordyna_core.worker.pool.pool import DEFAULT_RUN_TIMEOUT_S, WorkerPool
from cordyna_core.worker.protocol import AttemptKey
from cordyna_core.worker.settings import Settings
from cordyna_core.worker.spec import ServerSpec

_log = logging.getLogger("cordyna.server")


class ProcessServer:
    """Implements ports.TaskRunner. Use it as a context: at its end all bodies are ended.

    Args:
        target: `path/to/file.py[:name]` or `package.module[:name]`.
        concurrency: bodies at the same time. Default: what the server says.
        on_failure: called when the pool can run nothing more. Default: let the process drain.
    """

    def __init__(
        self,
        target: str,
        concurrency: int | None = None,
        *,
        settings: Settings | None = None,
        on_failure: Callable[[], None] = lambda: signal.raise_signal(signal.SIGTERM),
    ) -> None:
        # Also another container with this number of a process must not find this one's bodies.
        token = f"{os.getpid()}-{uuid.uuid4().hex}"  # noqa: TID251
        self._pool = WorkerPool(token=token, settings=settings)
        self._requests: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._wakeup: Final = os.pipe()
        self._inboxes: dict[AttemptKey, Inbox] = {}
        self._is_closed = False
        self._is_loaded = False
        self._failure: Exception | None = None
        self._loaded: SimpleQueue[events.Declared | events.LoadFailed | None] = SimpleQueue()
        self._driver = threading.Thread(target=self._drive, name="worker-pool", daemon=True)
        self._on_failure = on_failure
        spec = ServerSpec(target, concurrency=concurrency, log_format="json")
        self._pool.start([spec])
        self._driver.start()
        self._declared = self._wait_until_loaded()
        self._declaration = ServerDeclared.model_validate(self._declared.detail)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        return self._declaration.server

    @property
    def concurrency(self) -> int:
        return self._declared.concurrency

    @property
    def has_failed(self) -> bool:
        """Whether the pool can run nothing more."""
        return self._failure is not None

    def declare(self, *, bus: Bus, clock: Clock, cause: Message | None = None) -> None:
        """See ports.TaskRunner."""
        publish_declaration(self._declaration, bus=bus, clock=clock, cause=cause)

    def queue(self, command: RunTask, *, bus: Bus, clock: Clock) -> bool:
        """See ports.TaskRunner."""
        self._check_addressee(command)
        if is_stale(command, clock(), queued=False):
            return False
        Attempt(command, bus, clock, lambda: False).report("queued")
        return True

    def fail(self, command: RunTask, error: ErrorDescription, *, bus: Bus, clock: Clock) -> None:
        """See ports.TaskRunner."""
        self._check_addressee(command)
        Attempt(command, bus, clock, lambda: False).report("error", reason="failed", error=error)

    def run(
        self,
        command: RunTask,
        *,
        bus: Bus,
        clock: Clock,
        queued: bool = False,
        claims: Claims | None = None,
        cancelled: Callable[[], bool],
        hold: StartHold = AT_ONCE,
    ) -> None:
        """Run one attempt in a worker process, and publish what it reports.

        Raises:
            Fatal: the command is for another server.
            Exception: what the bus or the claims raise, or that the body could not be started; the
                command has not been answered then, and must be delivered again.
        """
        self._check_addressee(command)
        if is_stale(command, clock(), queued=queued) or cancelled():
            return
        if claims is not None:
            is_granted = claims.claim(command.run_id, command.task, command.attempt)
            # The claim is a remote call, which may have taken long.
            if not is_granted or is_stale(command, clock(), queued=queued):
                return
        if queued:
            command = command.model_copy(update={"ack_by": command.start_by})
        inbox = self._begin(command)
        held_start = HeldStart(clock, lambda now: hold.seconds(command, now, queued=queued))
        RunningAttempt(bus, cancelled, lambda: self._cancel(command), held_start).follow(inbox)

    def close(self) -> None:
        """End all bodies now."""
        if not self._is_closed:
            self._is_closed = True
            self._request(lambda: None)
            self._driver.join()
            self._pool.close()
            for end in self._wakeup:
                os.close(end)

    # -- used by the threads of attempts --------------------------------------------------------

    def _check_addressee(self, command: RunTask) -> None:
        if command.server != self.name:
            raise Fatal(f'"{self.name}" received a RunTask for server "{command.server}"')

    def _begin(self, command: RunTask) -> Inbox:
        inbox: Inbox = SimpleQueue()
        timeout_s = self._run_timeout_s(command.task)

        def begin() -> None:
            key = AttemptKey(command.run_id, command.task, command.attempt)
            if self._failure is not None:
                inbox.put(None)
            elif key in self._inboxes:
                # A message that was delivered twice is answered once, by the thread that runs it.
                inbox.put(events.AttemptEnded(server=command.server, key=key, outcome="skipped"))
            else:
                self._inboxes[key] = inbox
                self._pool.run(command, run_timeout_s=timeout_s)

        self._request(begin)
        return inbox

    def _cancel(self, command: RunTask) -> None:
        cancel = CancelTask(
            server=command.server, run_id=command.run_id, task=command.task,
            attempt=command.attempt,
        )  # fmt: skip
        self._request(lambda: self._pool.cancel(cancel))

    def _run_timeout_s(self, task: str) -> float:
        for declared in self._declaration.tasks:
            if declared.name == task:
                return declared.run_timeout_s or DEFAULT_RUN_TIMEOUT_S
        return DEFAULT_RUN_TIMEOUT_S

    def _request(self, request: Callable[[], None]) -> None:
        self._requests.put(request)
        self._wake()

    def _wake(self) -> None:
        os.write(self._wakeup[1], b"\0")

    def _wait_until_loaded(self) -> events.Declared:
        loaded = self._loaded.get()
        if isinstance(loaded, events.Declared):
            return loaded
        self.close()
        raise UserError(loaded.error if loaded else f"the worker host failed: {self._failure}")

    # -- the driver -----------------------------------------------------------------------------

    def _drive(self) -> None:
        try:
            while not self._is_closed:
                self._turn()
        except Exception as failure:  # noqa: BLE001  the process ends in order
            _log.exception("the worker pool has failed: this process takes no more commands")
            self._failure = failure
            self._loaded.put(None)
            for inbox in self._inboxes.values():
                inbox.put(None)
            if self._is_loaded:
                self._on_failure()
            self._answer_requests()

    def _turn(self) -> None:
        wakeup, pool = self._wakeup[0], self._pool.fileno()
        if wakeup in select.select([pool, wakeup], [], [], self._pool.next_poll_s())[0]:
            os.read(wakeup, 4096)
        while not self._requests.empty():
            self._requests.get()()
        for event in self._pool.receive():
            self._hand_over(event)

    def _answer_requests(self) -> None:
        """After a failure: no thread waits for a request without a reader."""
        while not self._is_closed:
            self._requests.get()()

    def _hand_over(self, event: events.Event) -> None:
        key = getattr(event, "key", None)
        if isinstance(event, events.Declared | events.LoadFailed):
            self._is_loaded = self._is_loaded or isinstance(event, events.Declared)
            self._loaded.put(event)
        elif isinstance(event, events.ServerOutput):
            (sys.stdout if event.stream == "stdout" else sys.stderr).write(event.text)
        elif isinstance(key, AttemptKey) and key in self._inboxes:
            self._inboxes[key].put(event)
            if isinstance(event, events.AttemptEnded):
                del self._inboxes[key]
        elif isinstance(event, events.HostLost | events.WorkerFailed | events.DeadLetter):
            _log.warning("%s", event)
