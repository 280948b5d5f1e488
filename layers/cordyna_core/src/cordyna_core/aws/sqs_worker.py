"""SQS poller: a task server in a container, which takes its commands from the work queue behind its door.

Law: a worker asks for a message only when it is free, so `started` is said by whoever runs the body, and a command waits on the
queue until somebody can. A message is deleted after its body ended. While it runs, its visibility is prolonged; a container
that is killed stops prolonging, and the message comes again: with a claims table nothing is run twice, and the run clock tells;
without one the body runs again, as long as it may still start.

An end: SIGTERM (Fargate sends it, and kills after the task's `stopTimeout`) or Ctrl-C lets the bodies end that have begun and
takes no more. Nothing is said of the server's state, for an instance is not the server: the door stays, and others may run.
"""

import json
import logging
import signal
import threading
from types import FrameType
from typing import Final

from cordyna_core.aws.lambda_handlers import declare, handle_command
from cordyna_core.aws.runtime import ServerRuntime, build_server_runtime, work_queue
from cordyna_core.aws.settings import server_settings
from cordyna_core.aws.work_queue import QueuedCommand, WorkQueue
from cordyna_core.server.task_server import TaskServer

VISIBILITY_S: Final = 60
"""How long a message stays with a worker that has died."""

BEAT_S: Final = 20.0
"""Two beats may be lost before a message that is worked on comes again."""

AFTER_A_FAULT_S: Final = 5.0
"""How long a worker rests when the queue cannot be asked."""

_log = logging.getLogger("cordyna.server")


def serve(server: TaskServer, *, concurrency: int | None = None) -> None:
    """What `server.serve()` does. Raises UserError where no queue is named."""
    poller = Poller(server, build_server_runtime(server.name), work_queue())

    def end(number: int, frame: FrameType | None) -> None:
        # The second time, the signal does what it does by itself.
        signal.signal(number, signal.SIG_DFL)
        poller.drain()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    poller.run(server_settings().workers if concurrency is None else concurrency)


class Poller:
    """Workers that share one queue."""

    def __init__(self, server: TaskServer, here: ServerRuntime, queue: WorkQueue) -> None:
        self._server, self._here, self._queue = server, here, queue
        self._draining = threading.Event()
        self._idle = threading.Event()
        self._held: set[QueuedCommand] = set()

    def run(self, concurrency: int) -> None:
        """Declare the server, and work until `drain`."""
        declare(self._server, self._here)
        workers = [
            threading.Thread(target=self._work, name=f"worker-{number}")
            for number in range(1, concurrency + 1)
        ]
        beats = threading.Thread(target=self._beats, name="beats", daemon=True)
        for thread in (*workers, beats):
            thread.start()
        _log.info("%s takes commands from its queue, %d at a time", self._server.name, concurrency)
        self._draining.wait()
        _log.info("%s takes no more commands; %d bodies go on", self._server.name, len(self._held))
        for worker in workers:
            worker.join()
        self._idle.set()

    def drain(self) -> None:
        """Take no more messages, and let `run` end once the bodies have ended that began."""
        self._draining.set()

    def work_once(self) -> None:
        """Wait for one message, and handle it."""
        for delivery in self._queue.receive(VISIBILITY_S):
            if self._draining.is_set():
                self._queue.hold(delivery, 0)
            else:
                self._handle(delivery)

    def beat(self) -> None:
        """Keep what is being worked on."""
        for delivery in tuple(self._held):
            try:
                self._queue.hold(delivery, VISIBILITY_S)
            except Exception:
                _log.warning("a message could not be held", exc_info=True)

    def _handle(self, delivery: QueuedCommand) -> None:
        self._held.add(delivery)
        try:
            handle_command(self._server, json.loads(delivery.body), self._here, queued=True)
            self._queue.delete(delivery)
        except Exception:
            _log.exception("a message was not handled and will be delivered again")
        finally:
            self._held.discard(delivery)

    def _work(self) -> None:
        while not self._draining.is_set():
            try:
                self.work_once()
            except Exception:
                _log.exception("the work queue could not be asked")
                self._draining.wait(AFTER_A_FAULT_S)

    def _beats(self) -> None:
        while not self._idle.wait(BEAT_S):
            self.beat()
