"""Driver: the thread that makes a home's cerebro and task servers go.

Law: whoever reads or writes the home holds `lock`; the driver holds it one step at a time. A step that fails stops the
driver, and everybody who waits for it is told why.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import Final

from cerebro.core.graph.graph import version_of
from cerebro.core.model import Plan
from cerebro.embedded.output_capture import Capture
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.storage.home import DiskHome, MemoryHome
from cerebro.embedded.worker_pool import ServerPool
from cerebro.handlers.sweep import sweep
from cordyna_core.contract.base import Message, Problem, meta_at
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import derived_id, server_source
from cordyna_core.contract.state_updates import ServerStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.runs import LogLine
from cordyna_core.ports import Clock
from cordyna_core.server.task_server import TaskServer

_log = logging.getLogger("cordyna")

CONCURRENCY: Final = 16
"""Workers per task server. Threads: bodies that wait overlap well; the heavy lifting of most tasks releases the GIL."""

POLL_S: Final = 0.05
"""How often the inbox, where other processes put their events, is looked at."""

SWEEP_S: Final = 60.0

KEPT_S: Final = 30 * 24 * 3600.0
"""How long a run that ended is kept, as on AWS."""


class Driver:
    """Drives `home` from `start` to `stop`."""

    def __init__(
        self,
        home: DiskHome | MemoryHome,
        lock: threading.RLock,
        clock: Clock,
        on_step: Callable[[bool], None],
        *,
        whole_process: bool,
    ) -> None:
        self._home, self._lock, self._clock, self._on_step = home, lock, clock, on_step
        self._arrivals: SimpleQueue[str | None] = SimpleQueue()
        self._pools: dict[str, ServerPool] = {}
        self._lines: list[LogLine] = []
        self.capture = Capture(self._lines.extend, clock, whole_process=whole_process)
        self.loop = MessageLoop(home, clock, to_server=self._to_server)
        self.failure: Exception | None = None
        self._started = self._stopping = self._declared_anew = False
        self._next_sweep = clock() + SWEEP_S
        self._next_poll = 0.0
        self._polls = isinstance(home, DiskHome)
        self._thread = threading.Thread(target=self._drive, name="cerebro", daemon=True)

    def put(self, event: str) -> None:
        """Put an event on the bus; any thread may."""
        self._arrivals.put(event)

    def _sealed_as_server(self, server: str, message: Message, now: float) -> str:
        event_id = derived_id(type(message).__name__, server, message.model_dump_json(), str(now))
        told = message.model_copy(update={"meta": meta_at(now, event_id)})
        return seal(told, server_source(server), event_id, utc(now))

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits to be heard, and no run that is served here goes on."""
        if not self._arrivals.empty() or not self.loop.is_idle:
            return False
        store = self._home.store
        return not any(
            (snapshot := store.read_run_snapshot(run_id)) and self._is_ours(snapshot.plan)
            for run_id in store.active_runs()
        )

    def declare(self) -> list[Problem]:
        """Declare exactly the servers that are served, as one batch, if that is news. Returns why they were rejected."""
        declarations = {name: pool.server.declaration for name, pool in self._pools.items()}
        with self._lock, self._home.reading():
            graph = self._home.store.read_graph()
            if graph.head.servers == {
                name: version_of(declared) for name, declared in declarations.items()
            }:
                self.loop.apply(graph)
                return []
            now = self._clock()
            self._declared_anew = True
            return self.loop.declare(
                [
                    self._sealed_as_server(name, declared, now)
                    for name, declared in declarations.items()
                ]
            )

    def serve(self, servers: Iterable[TaskServer]) -> None:
        """Give exactly these servers workers; one that is not the same any more is replaced, and its running bodies finish."""
        wanted = {server.name: server for server in servers}
        for name in [
            name for name, pool in self._pools.items() if wanted.get(name) is not pool.server
        ]:
            self._pools.pop(name).stop()
        for server in wanted.values():
            if server.name in self._pools:
                continue
            self._pools[server.name] = ServerPool(
                server,
                put=self.put,
                clock=self._clock,
                capture=self.capture,
                concurrency=CONCURRENCY,
            )

    def start(self) -> None:
        """Take interrupted runs up again, as far as their servers are here, and go. Starting twice is starting once."""
        if self._started:
            return
        self._started = True
        now = self._clock()
        with self._lock:
            self._home.forget_runs(now - KEPT_S)
        with self._lock:
            # Before anything else, so that the event_log tells what this engine heard from what the one before did.
            for name in self._pools:
                self.loop.process_now(
                    self._sealed_as_server(
                        name, ServerStateChanged(server=name, state="ready"), now
                    )
                )
            for run_id in self._home.store.active_runs():
                snapshot = self._home.store.read_run_snapshot(run_id)
                if snapshot is not None and self._is_ours(snapshot.plan):
                    self.loop.resume_run(run_id, died=self._home.predecessor_died)
                    if self._home.predecessor_died:
                        _log.warning(
                            "run %s (%s) was interrupted and goes on; `dyna cancel %s` ends it",
                            run_id,
                            snapshot.run.task,
                            run_id,
                        )
            self.loop.flush()
        self.capture.install()
        self._thread.start()

    def _is_ours(self, plan: Plan) -> bool:
        """Whether every server of the plan is served here; else the run waits for an engine that serves them."""
        return all(task.is_join or task.server in self._pools for task in plan.tasks)

    def stop(self) -> None:
        """Stop after the step that is being made, and say so. Bodies that run are left to themselves."""
        if not self._started:
            if self._declared_anew:
                self._announce_stopped()
            return
        self._stopping = True
        self._arrivals.put(None)
        self._thread.join()
        self.capture.remove()
        for pool in self._pools.values():
            pool.stop()
        if self.failure is None:
            self._announce_stopped()

    def _announce_stopped(self) -> None:
        now = self._clock()
        with self._lock:
            self._store_log_lines()
            for name in self._pools:
                self.loop.process_now(
                    self._sealed_as_server(
                        name, ServerStateChanged(server=name, state="stopped"), now
                    )
                )

    def _to_server(self, server: str, event: str) -> None:
        for name, pool in self._pools.items():
            if server in (name, "*"):
                pool.deliver(event)

    def _drive(self) -> None:
        try:
            while not self._stopping:
                self._wait()
                # One step for one hold of the lock: whoever wants to look at a long run gets its turn.
                with self._lock:
                    self._store_log_lines()
                    self._poll()
                    self.loop.step()
                    if self.loop.is_idle and self._arrivals.empty():
                        self.loop.end_idle_failing_runs()
                self._on_step(self.loop.has_news())
        except Exception as failure:
            self.failure = failure
            self._on_step(True)

    def _wait(self) -> None:
        """Until something arrives or is due; then take all that has arrived."""
        now = self._clock()
        waits = [pool.say_queued() for pool in self._pools.values()]
        due = [
            at
            for at in (
                *waits,
                self.loop.next_due(),
                self._next_sweep,
                now + POLL_S if self._polls else None,
            )
            if at is not None
        ]
        if not self.loop.is_idle:
            self._arrived()
            return
        try:
            event = self._arrivals.get(timeout=max(0.0, min(due) - now))
        except Empty:
            return
        if event is not None:
            self.loop.put(event)
        self._arrived()

    def _arrived(self) -> None:
        try:
            while True:
                event = self._arrivals.get_nowait()
                if event is not None:
                    self.loop.put(event)
        except Empty:
            return

    def _poll(self) -> None:
        now = self._clock()
        if self._polls and now >= self._next_poll:
            self._next_poll = now + POLL_S
            if self._home.event_log.has_inbox():
                self.loop.step(inbox=True)
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_S
            sweep(self.loop.ports, is_ours=self._is_ours)

    def _store_log_lines(self) -> None:
        if self._lines:
            count = len(self._lines)
            lines, self._lines[:count] = self._lines[:count], []
            with self._home.transaction():
                self._home.event_log.append_log_lines(lines)
