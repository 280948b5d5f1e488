"""Driver: the thread that makes a home's cerebro and task servers run.

It waits in one selector for messages of bodies, for other threads and for the next time that
something is due. One turn takes what has arrived, stores output, and processes one batch of
messages; the lock is free between turns, so that readers get their turn.

Invariant: who reads or writes the home holds `lock`; the driver holds it one turn at a time. A turn
is kept whole or not at all. What fails in it stops the driver only if the home itself has failed;
then the thread that waits for the driver gets that error.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from cerebro.adapters.sqlite.database import HomeLocked
from cerebro.core.graph.versions import version_of
from cerebro.core.model.plan import Plan
from cerebro.embedded.bodies.port import Bodies
from cerebro.embedded.runtime.body_news import BodyNews
from cerebro.embedded.runtime.clock_jump import JUMP_MIN_S, SteadyClock
from cerebro.embedded.runtime.housekeeping import Housekeeping
from cerebro.embedded.runtime.incident_resume import note_declared, resume_incidents
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.runtime.run_timeout import run_timeout_s
from cerebro.embedded.runtime.served import ServedTargets
from cerebro.embedded.runtime.server_events import report_servers, server_event
from cerebro.embedded.runtime.wake_pipe import WakePipe
from cerebro.embedded.storage.driver_record import record_of_this_process
from cerebro.embedded.storage.home import Home
from cerebro.ports import DamagedItem
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import CancelTask, Command, RunTask

_log = logging.getLogger("cordyna")

INBOX_POLL_S: Final = 0.05
"""How often the inbox, where other processes put events, is checked."""

WAIT_MAX_S: Final = 1.0
"""The driver makes a turn at least this often: a hanging driver differs from an idle one."""

COALESCE_S: Final = 0.001
"""How long the start of a body waits for more news, so that both share one transaction."""

LOCKED_PAUSE_S: Final = 0.2


class Driver:
    """Drives `home` from `start` to `stop`. `load` declares servers before that."""

    def __init__(
        self,
        home: Home,
        lock: threading.RLock,
        clock: SteadyClock,
        on_turn: Callable[[bool], None],
        *,
        bodies: Bodies,
        served: ServedTargets,
    ) -> None:
        self._home, self._lock, self._clock, self._on_turn = home, lock, clock, on_turn
        self._bodies, self.served = bodies, served
        self._wake_pipe = WakePipe()
        self._arrivals: deque[str] = deque()
        self.loop = MessageLoop(home, clock, to_server=self._to_server, serves=served.serves)
        self._news = BodyNews(home, bodies, loop=self.loop, served=served, clock=clock)
        self._housekeeping = Housekeeping(home, self.loop, self._is_ours)
        self.failure: Exception | None = None
        self.last_turn_at = time.monotonic()
        self._bodies_started = self._is_started = self._is_stopping = False
        self._next_poll_at = self._started_at = 0.0
        self.has_declared = False
        self._thread = threading.Thread(target=self._drive, name="cerebro", daemon=True)

    # -- servers ------------------------------------------------------------------------------

    def load(self, targets: Sequence[str], timeout_s: float) -> list[Problem]:
        """Load these servers, wait for them, and declare all. Returns why it was rejected.

        Before `start` only. A server that takes longer than `timeout_s` counts as not loaded.
        """
        self._begin_load(targets)
        give_up_at = time.monotonic() + timeout_s
        while self.served.pending and (left_s := give_up_at - time.monotonic()) > 0:
            self._wake_pipe.wait(min(left_s, self._bodies.next_poll_s() or WAIT_MAX_S))
            self._news.receive()
            self._news.take()
        self.served.give_up_waiting(f"it has not declared itself within {timeout_s:g} s")
        return self.declare()

    def _begin_load(self, targets: Sequence[str]) -> None:
        if not targets:
            return
        if not self._bodies_started:
            self._bodies.start(self._wake_pipe.wake)
            descriptor = self._bodies.fileno()
            if descriptor is not None:
                self._wake_pipe.watch(descriptor)
            self._bodies_started = True
        self.served.begin_load(targets)
        self._bodies.load(targets)

    def reload(self, target: str) -> None:
        """Load a server again, because its files have changed. For any thread with the lock."""
        self.served.begin_load([target])
        self._bodies.load([target])

    def declare(self) -> list[Problem]:
        """Declare exactly the served servers, as one batch, if that changes anything.

        While one of them does not load, all others stay. Returns the problems if it is rejected.
        """
        declarations, self._news.needs_declaring = self.served.declarations(), False
        with self._lock, self._home.reading():
            graph = self._home.store.read_graph()
            kept = self.served.kept()
            every = (*declarations.values(), *kept)
            versions = {declared.server: version_of(declared) for declared in every}
            if graph.head.servers == versions:
                self.loop.apply(graph)
                note_declared(self.loop, self._home, self.served.as_declared())
                return []
            now = self._clock()
            self.has_declared = True
            problems = self.loop.declare(
                [server_event(name, declared, now) for name, declared in declarations.items()], kept
            )
        if not problems:
            note_declared(self.loop, self._home, self.served.as_declared())
            self.served.log_removed(graph.head.servers.keys() - versions.keys())
        return problems

    # -- from other threads -------------------------------------------------------------------

    def put(self, event: str) -> None:
        """Put an event on the bus; any thread may."""
        self._arrivals.append(event)
        self._wake_pipe.wake()

    @property
    def is_started(self) -> bool:
        """Whether the thread runs."""
        return self._is_started

    @property
    def is_drained(self) -> bool:
        """Whether `drain` has ended the last attempt."""
        return self._news.is_drained

    @property
    def has_handled_all(self) -> bool:
        """Whether no message waits."""
        return not self._arrivals and self.loop.is_idle

    def active_runs(self) -> list[str]:
        """Return the active runs whose servers are served here."""
        store = self._home.store
        return [
            run_id
            for run_id in store.active_runs()
            if (snapshot := store.read_run_snapshot(run_id)) and self._is_ours(snapshot.plan)
        ]

    @property
    def has_cancelled_bodies(self) -> bool:
        """Whether bodies of cancelled attempts still run, within their grace."""
        return self._is_started and self.failure is None and self._bodies.has_cancelled()

    @property
    def has_live_bodies(self) -> bool:
        """Whether bodies run that `drain` has not ended."""
        can_drain = self._is_started and self.failure is None and not self.is_drained
        return can_drain and self._bodies_started and self._bodies.has_live()

    def drain(self, within_s: float) -> None:
        """Start no further attempt; end what runs after `within_s`. Sets `is_drained`."""
        with self._lock:
            if self._bodies_started:
                self._bodies.drain(within_s)
            else:
                self._news.is_drained = True
        self._wake_pipe.wake()

    def prune(self, ended_before: float) -> None:
        """Prune in the next turns."""
        self._housekeeping.prune(ended_before)
        self._wake_pipe.wake()

    def start(self) -> None:
        """Resume interrupted runs whose servers are served here, and start the thread.

        Does nothing if it has been started. Raises what the home or the bodies raise; then the
        driver counts as not started.
        """
        if self._is_started:
            return
        # What still loads, or has just failed to, is not begun again.
        self._begin_load(self.served.not_tried())
        self._started_at = now = self._clock()
        with self._lock:
            # First, so that the event log parts what this engine received from the last one's.
            report_servers(self.loop, self.served.declarations(), "ready", now)
            with self._home.transaction():
                # The clock was set back since: later times would count as the latest for long.
                self._home.store.forget_after(now + JUMP_MIN_S)
            for run_id in self._home.store.active_runs():
                try:
                    self._resume(run_id)
                except DamagedItem as damaged:
                    _log.error("run %s was not resumed: %s", run_id, damaged)
            resume_incidents(self.loop, self._home)
            self._record()
        self._is_started = self._news.is_published = True
        self._thread.start()

    def _record(self) -> None:
        servers = tuple(self.served.declarations())
        self._home.record_driver(record_of_this_process(servers, self._started_at))

    def _resume(self, run_id: str) -> None:
        snapshot = self._home.store.read_run_snapshot(run_id)
        if snapshot is None or not self._is_ours(snapshot.plan):
            return
        self.loop.resume_run(run_id)
        if self._home.predecessor_died:
            _log.warning(
                "run %s (%s) was interrupted and continues; `dyna cancel %s` ends it",
                run_id,
                snapshot.run.task,
                run_id,
            )

    def _is_ours(self, plan: Plan) -> bool:
        """Return whether every server of the plan is served here.

        Else another engine resumes the run.
        """
        served = self.served.declarations()
        return all(task.is_join or task.server in served for task in plan.tasks)

    def stop(self) -> None:
        """Stop after the present turn, end all bodies, and publish that the servers stopped."""
        was_started = self._is_started
        if was_started:
            self._is_stopping = True
            self._wake_pipe.wake()
            self._thread.join()
        if self._bodies_started:
            self._bodies.close()
        self._wake_pipe.close()
        if self.failure is None and (was_started or self.has_declared):
            self._publish_stopped()

    def _publish_stopped(self) -> None:
        now = self._clock()
        with self._lock:
            self._news.store_output()
            self._news.loads.store(())
            report_servers(self.loop, self.served.declarations(), "stopped", now)

    # -- the thread ---------------------------------------------------------------------------

    def _drive(self) -> None:
        try:
            while not self._is_stopping:
                self._wait()
                try:
                    with self._lock:
                        self._turn()
                except HomeLocked as locked:
                    # Nothing is lost: what was taken is kept for the next turn.
                    _log.warning("waiting: %s", locked.what)
                    time.sleep(LOCKED_PAUSE_S)
                self.last_turn_at = time.monotonic()
                self._on_turn(self.loop.take_news())
        except Exception as failure:  # noqa: BLE001  raised in the waiting thread
            self.failure = failure
            self._on_turn(True)  # noqa: FBT003  a callback with one value

    def _wait(self) -> None:
        if not self.loop.is_idle or self._arrivals or not self._news.is_empty:
            timeout_s = 0.0
        else:
            timeout_s = self._next_turn_in_s()
        self._wake_pipe.wait(timeout_s)

    def _next_turn_in_s(self) -> float:
        waits = [WAIT_MAX_S, self._housekeeping.next_due_s()]
        if self._home.is_shared:
            waits.append(self._next_poll_at - time.monotonic())
        due_at = self.loop.next_due()
        if due_at is not None:
            waits.append(due_at - self._clock())
        poll_s = self._bodies.next_poll_s() if self._bodies_started else None
        if poll_s is not None:
            waits.append(poll_s)
        return max(0.0, min(waits))

    def _turn(self) -> None:
        if jump_s := self._clock.take_jump():
            _log.warning("the clock was set by %+.0f s; intervals are kept", jump_s)
            self.loop.on_clock_jump(jump_s)
        if self._bodies_started:
            self._receive()
        self._news.take()
        while self._arrivals:
            self.loop.put(self._arrivals.popleft())
        self._news.store_output()
        if self._bodies_started:
            self._news.loads.request()
        self.loop.step(inbox=self._inbox_has_events())
        if self._news.needs_declaring and not self.served.pending:
            self.declare()
            self._record()
        if self.loop.is_idle and not self._arrivals and self._news.is_empty:
            self.loop.end_idle_failing_runs()
            self._housekeeping.step()

    def _receive(self) -> None:
        """Take what the bodies reported. A short body's start shares the turn of its end."""
        self._news.receive()
        may_wait = not self._bodies.holds_starts and not self._arrivals
        if may_wait and self._news.has_only_starts:
            self._wake_pipe.wait(COALESCE_S)
            self._news.receive()

    def _inbox_has_events(self) -> bool:
        if not self._home.is_shared or time.monotonic() < self._next_poll_at:
            return False
        self._next_poll_at = time.monotonic() + INBOX_POLL_S
        return self._home.event_log.has_inbox()

    def _to_server(self, command: Command, event: str) -> None:
        if not self._bodies_started:
            # No server runs here. One elsewhere answers by events, or its clocks expire.
            return
        if isinstance(command, RunTask):
            self._bodies.run(command, event, run_timeout_s(self._home.store, command))
        elif isinstance(command, CancelTask):
            self._bodies.cancel(command)
