"""SQS worker: a task server in a container, which runs the commands of its work queue.

Invariant: a thread asks for a message only when it is free, so a command stays on the queue until a
body can start. A message is deleted after its body ended. (Bodies run in worker processes: see
`entrypoints.process_server`.)

While a body runs, the visibility of its message is extended, and the lease of its claim renewed. A
container that is killed stops that, and SQS delivers the message again. With a claims table,
nothing runs twice, and the attempt is ended as `worker_died`; without one, the body runs again if
it may still start.

SIGTERM (which Fargate sends, and kills after `stopTimeout`) and Ctrl-C let the running bodies end
and take no more messages. The state of the server is not published, because an instance is not the
server: its queue ingress stays, and other instances may run.
"""

import json
import logging
import signal
import threading
import time
from types import FrameType
from typing import Final

from cordyna_core.aws.command_handler import (
    handle_command,
    keep_beside_running_body,
    observed_claims,
)
from cordyna_core.aws.inbound_event import parse_command_event
from cordyna_core.aws.runtime import ServerRuntime, build_server_runtime, work_queue
from cordyna_core.aws.settings import server_settings
from cordyna_core.aws.task_protection import TaskProtection
from cordyna_core.aws.visibility import HEARTBEAT_INTERVAL_S, VISIBILITY_S, extend_visibility
from cordyna_core.aws.work_queue import QueuedCommand, WorkQueue
from cordyna_core.aws.worker_death import ObservedClaims, RunsElsewhere, report_death
from cordyna_core.contract.commands import RunTask
from cordyna_core.ports import TaskRunner

DRAIN_MAX_S: Final = 100.0
"""How long running bodies may take after SIGTERM: Fargate kills the process after 120 s.

A platform that waits less needs a shorter CORDYNA_DRAIN_S.
"""

PAUSE_AFTER_ERROR_S: Final = 5.0
"""How long a worker waits after the queue did not answer."""

_log = logging.getLogger("cordyna.server")


def serve(server: TaskRunner, *, concurrency: int | None = None) -> None:
    """Run commands until SIGTERM. Raises UserError if no queue is named."""
    protection = TaskProtection(server_settings().ecs_agent_uri)
    worker = SqsWorker(
        server,
        build_server_runtime(server.name),
        work_queue(),
        protection,
        server_settings().drain_s or DRAIN_MAX_S,
    )

    def end(number: int, frame: FrameType | None) -> None:
        # A second signal has its default effect.
        signal.signal(number, signal.SIG_DFL)
        worker.drain()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    worker.run(concurrency or server_settings().workers or server.concurrency)


class SqsWorker:
    """Threads that share one queue, each of which waits for one body."""

    def __init__(
        self,
        server: TaskRunner,
        runtime: ServerRuntime,
        queue: WorkQueue,
        protection: TaskProtection | None = None,
        drain_max_s: float = DRAIN_MAX_S,
    ) -> None:
        self._server, self._runtime, self._queue = server, runtime, queue
        self._protection = protection or TaskProtection(None)
        self._drain_max_s = drain_max_s
        self._draining = threading.Event()
        self._idle = threading.Event()
        self._in_progress: dict[QueuedCommand, ObservedClaims | None] = {}

    def run(self, concurrency: int) -> None:
        """Declare the server, and run commands until `drain`. Raises what the bus raises."""
        self._server.declare(bus=self._runtime.bus, clock=self._runtime.clock)
        workers = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)
            for number in range(1, concurrency + 1)
        ]
        heartbeat = threading.Thread(target=self._send_heartbeats, name="heartbeat", daemon=True)
        for thread in (*workers, heartbeat):
            thread.start()
        _log.info("%s runs commands of its queue, %d at a time", self._server.name, concurrency)
        self._draining.wait()
        _log.info(
            "%s takes no more commands; %d bodies are running",
            self._server.name,
            len(self._in_progress),
        )
        deadline = time.monotonic() + self._drain_max_s
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        for delivery in tuple(self._in_progress):
            self._report_killed(delivery)
        self._idle.set()

    def drain(self) -> None:
        """Take no more messages, and let `run` return once the running bodies have ended."""
        self._draining.set()

    def handle_next(self) -> None:
        """Wait for one message and handle it. Raises what the queue raises."""
        for delivery in self._queue.receive(VISIBILITY_S):
            if self._draining.is_set():
                self._queue.hold(delivery, 0)
            else:
                self._handle(delivery)

    def extend_visibility(self) -> None:
        """Keep the messages whose bodies are running."""
        for delivery, claims in tuple(self._in_progress.items()):
            extend_visibility(self._queue, delivery, claims)
        self._protection.extend()

    def _handle(self, delivery: QueuedCommand) -> None:
        claims = observed_claims(self._runtime)
        self._in_progress[delivery] = claims
        try:
            with self._protection.while_running():
                handle_command(
                    self._server,
                    json.loads(delivery.body),
                    self._runtime,
                    from_queue=True,
                    claims=claims,
                    deliveries=delivery.deliveries,
                )
            self._queue.delete(delivery)
        except RunsElsewhere as elsewhere:
            self._keep(delivery, elsewhere)
        except Exception:  # noqa: BLE001  not deleted, so it is delivered again
            _log.exception("a message was not handled and will be delivered again")
        finally:
            self._in_progress.pop(delivery, None)

    def _keep(self, delivery: QueuedCommand, elsewhere: RunsElsewhere) -> None:
        _log.warning("a message was delivered twice: %s", elsewhere)
        try:
            keep_beside_running_body(self._queue, delivery)
        except Exception:  # noqa: BLE001  it is delivered again all the same, only sooner
            _log.warning("the visibility of a message was not extended", exc_info=True)

    def _report_killed(self, delivery: QueuedCommand) -> None:
        """End an attempt whose body this process will not finish."""
        try:
            command = parse_command_event(json.loads(delivery.body)).message
            if isinstance(command, RunTask):
                why = f"its container was stopped and the body took {self._drain_max_s:g} s more"
                report_death(command, self._runtime, why, reason="killed")
                self._queue.delete(delivery)
        except Exception:  # noqa: BLE001  the message is delivered again, which reports it, too
            _log.exception("a stopped body was not reported")

    def _work(self) -> None:
        while not self._draining.is_set():
            try:
                self.handle_next()
            except Exception:  # noqa: BLE001  the queue may answer later
                _log.exception("the work queue did not answer")
                self._draining.wait(PAUSE_AFTER_ERROR_S)

    def _send_heartbeats(self) -> None:
        while not self._idle.wait(HEARTBEAT_INTERVAL_S):
            self.extend_visibility()
