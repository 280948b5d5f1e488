"""Thread bodies: task servers of this process, their bodies in threads.

For `--in-process` (a debugger), tests and benchmarks. A body that blocks the interpreter blocks the
engine too; in processes of their own (see host_bodies.py), bodies cannot.

Invariant: nothing is imported here; `load` declares the servers that were given.
"""

from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Final

from cerebro.embedded.bodies.chunk_sink import ChunkSink
from cerebro.embedded.bodies.port import BodiesDrained, BodyEvent, Loads, ServerLoaded
from cerebro.embedded.bodies.thread_pool import ServerThreads
from cordyna_core.attempt_output import AttemptCapture
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.ports import Clock
from cordyna_core.server.task_server import TaskServer

THREADS_PER_SERVER_MAX: Final = 16
"""Bodies that wait overlap well; the heavy work of most libraries releases the interpreter."""


class ThreadBodies:
    """Implements Bodies. `servers` by target."""

    holds_starts = False

    def __init__(self, servers: Mapping[str, TaskServer], clock: Clock) -> None:
        self.servers, self._clock = dict(servers), clock
        self._events: SimpleQueue[BodyEvent] = SimpleQueue()
        self._wake: Callable[[], None] = lambda: None
        self._output = AttemptCapture(ChunkSink(self._report, clock))
        self._pools: dict[str, ServerThreads] = {}

    def start(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._output.install()

    def fileno(self) -> None:
        return None

    def next_poll_s(self) -> float | None:
        due = [at for pool in self._pools.values() if (at := pool.publish_queued()) is not None]
        return max(0.0, min(due) - self._clock()) if due else None

    def receive(self) -> Sequence[BodyEvent]:
        return [self._events.get_nowait() for _ in range(self._events.qsize())]

    def load(self, targets: Sequence[str]) -> None:
        for target in targets:
            server = self.servers[target]
            pool = self._pools.get(target)
            if pool is None or pool.server is not server:
                self.remove(target)
                self._pools[target] = ServerThreads(
                    server,
                    put=self._report,
                    clock=self._clock,
                    output=self._output,
                    concurrency=THREADS_PER_SERVER_MAX,
                )
            self._report(ServerLoaded(target, server.declaration))

    def remove(self, target: str) -> None:
        pool = self._pools.pop(target, None)
        if pool is not None:
            pool.stop()

    def run(self, command: RunTask, event: str, run_timeout_s: float) -> None:
        del run_timeout_s  # A thread cannot be ended; cerebro's own clock ends the attempt.
        for pool in self._pools.values():
            if pool.server.name == command.server:
                pool.run(event)

    def cancel(self, command: CancelTask) -> None:
        for pool in self._pools.values():
            if pool.server.name == command.server:
                pool.cancel(command)

    def has_live(self) -> bool:
        return False  # A thread cannot be ended.

    def has_cancelled(self) -> bool:
        return any(pool.has_cancelled() for pool in self._pools.values())

    def request_loads(self) -> None:
        self._report(Loads(tuple(pool.load() for pool in self._pools.values())))

    def drain(self, within_s: float) -> None:
        """Report BodiesDrained at once: threads cannot be ended, and end with the process."""
        del within_s
        self._report(BodiesDrained())

    def close(self) -> None:
        self._output.remove()
        for pool in self._pools.values():
            pool.stop()

    def _report(self, event: BodyEvent) -> None:
        self._events.put(event)
        self._wake()
