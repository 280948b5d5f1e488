"""Engine world: the message loop of the embedded engine, under faults of its own.

Theory of operation. There is no network here: one loop takes what waits and what is due, in
transactions of a home. What goes wrong is what goes wrong with a process on a laptop:

    exceptions    anything that reads or writes the home may raise something unexpected, and some
                  messages always do; the home itself may fail, as if its disk were full
    wall clock    it is set forward or back by seconds, hours or a day; the loop's clock follows
                  the monotonic one, and its deadlines are moved
    restarts      the engine ends, its bodies with it, and another one resumes its runs
    pruning       runs that ended some time ago are deleted while others are running
    poison        text that is not an event

Servers answer in time here. So whatever happens, there must be no timeout, and each task runs once
and then once for each failure that is retried, after a back-off that is right in true time.

Invariant: a turn of the world does what a turn of the driver does, in the same order.
"""

import heapq
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

from cerebro.embedded.runtime.clock_jump import SteadyClock
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.storage.home import MemoryHome
from cerebro.simulator.checks.engine_checks import RUNS_MAX, check_at_rest, check_back_off, facts_of
from cerebro.simulator.checks.recovery_checks import check_resumed
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.drawn.declarations import draw_declarations
from cerebro.simulator.parts.faults import FaultInjector
from cerebro.simulator.parts.flaky_store import CURSED_KEY, FlakyStore
from cerebro.simulator.parts.scenario import BEGIN, ServerBehavior
from cerebro.simulator.parts.server_behavior import SimulatedServer
from cerebro.simulator.parts.sizes import REAL
from cerebro.simulator.parts.trace import Trace
from cerebro.simulator.parts.verdict import Verdict
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelTask, Command, InvokeTask, RetryRun, RunTask
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source
from cordyna_core.contract.state_updates import (
    TaskStateChanged,
)
from cordyna_core.contract.time import utc
from cordyna_core.errors import ServiceError

JUMPS_S: Final = (3.0, 60.0, 3600.0, 86_400.0, -3.0, -60.0, -3600.0)
KEEP_S: Final = 600.0
"""How long ended runs are kept before they are pruned."""

TURNS_MAX: Final = 20_000


@contextmanager
def _without_log() -> Iterator[None]:
    """Dead letters are what a world makes on purpose; the engine logs each of them."""
    log = logging.getLogger("cordyna")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)


class EngineWorld:
    """One engine, and the servers whose bodies it runs."""

    kind: Final = "engine"

    def __init__(self, seed: int, *, trace: Trace | None = None) -> None:
        self.seed, self.faults, self._trace = seed, FaultInjector(seed), trace
        self.now = BEGIN
        self._wall_offset_s = 0.0
        self.home = MemoryHome(lambda: self.now)
        self.store = FlakyStore(self.home.store, self.faults, self.faults.choice((0.0, 0.02, 0.05)))
        self._plain_store = self.home.store
        self.home.store = self.store
        self.clock = SteadyClock(lambda: self.now + self._wall_offset_s, lambda: self.now)
        self._heap: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._number = count()
        self.effects = 0
        self.engine = 0
        self.pruned: set[str] = set()
        self.begun_at: dict[tuple[str, str, int], float] = {}
        self.failed_at: dict[tuple[str, str, int], float] = {}
        self.invoked: list[tuple[str, str]] = []
        self.loop = self._new_loop()
        self._declare()
        self._plan()

    # --- setting up -----------------------------------------------------------------------------
    def _new_loop(self) -> MessageLoop:
        return MessageLoop(self.home, self.clock, to_server=self._to_server)

    def _declare(self) -> None:
        names = ["s0", "s1"]
        self.declared = draw_declarations(
            names, self.faults, size=self.faults.integer(3, 7), cron=None
        )
        behavior = ServerBehavior(
            concurrency=self.faults.choice((0, 0, 2)),
            fails=self.faults.choice((0.0, 0.2)),
            start_s=(0.0, 0.3),
            body_s=2.0,
        )
        self.servers = {
            name: SimulatedServer(name, behavior, self.faults, self._report, self._schedule, BEGIN)
            for name in names
        }
        self.loop.declare(
            [self._sealed(declared, server_source(declared.server)) for declared in self.declared]
        )

    def _plan(self) -> None:
        faults = self.faults
        self.store.is_reliable = False
        tasks = [task for declared in self.declared for task in declared.tasks]
        begins: list[float] = []
        for number in range(faults.integer(1, 4)):
            task = faults.choice(tasks)
            key = CURSED_KEY if task.name == "t0" and faults.chance(0.2) else f"k{number}"
            required = (task.params_schema or {}).get("required", ())
            params = dict.fromkeys(required, "a")
            command = InvokeTask(task=task.name, key=key, params=params)
            begins.append(BEGIN + faults.uniform(0, 300))
            self._schedule(begins[-1], self._invoke, command)
            if faults.chance(0.3):
                retry = RetryRun(run_id=run_id_of(task.name, key), command_id="r")
                self._schedule(BEGIN + faults.uniform(60, 600), self._put_command, retry)
        for action in (self._jump, self._restart, self._prune, self._poison):
            for _ in range(faults.integer(0, 3)):
                # Most of them while something runs, which takes seconds.
                soon = faults.choice(begins) + faults.uniform(0, 8)
                at = soon if faults.chance(0.7) else BEGIN + faults.uniform(0, 900)
                self._schedule(at, action, None)

    # --- what happens ---------------------------------------------------------------------------
    def run(self) -> Verdict:
        """Let the world happen."""
        REAL.set()
        verdict = Verdict(self.seed)
        try:
            with _without_log():
                self._run_until_rest()
            check_at_rest(self._plain_store, self.home.event_log, self._awaited())
        except Unexpected as broken:
            verdict.broken = str(broken)
        except Exception as error:  # noqa: BLE001 - a world that raises is broken
            verdict.broken = f"{type(error).__name__}: {error}"
        verdict.at = self.now - BEGIN
        verdict.effects, verdict.injected = self.effects, dict(self.faults.injected)
        verdict.runs = len(self._plain_store.runs(RUNS_MAX))
        verdict.attempts = len(self.begun_at)
        return verdict

    def _run_until_rest(self) -> None:
        for _ in range(TURNS_MAX):
            self._turn()
            if not self.loop.is_idle:
                continue
            due = self.loop.next_due()
            next_timer = None if due is None else due - self.clock() + self.now
            is_active = bool(self._plain_store.active_runs())
            if self._heap and (next_timer is None or self._heap[0][0] <= next_timer):
                at, _, action, argument = heapq.heappop(self._heap)
                self.now = max(self.now, at)
                action(argument)
            elif next_timer is not None and is_active:
                self.now = max(self.now, next_timer)
            else:
                return
        raise Unexpected(f"the engine did not come to rest within {TURNS_MAX:,} turns")

    def _turn(self) -> None:
        """What the driver does in a turn; a home that fails is tried again in the next one."""
        self.effects += 1
        try:
            jump_s = self.clock.take_jump()
            if jump_s:
                with self._reliable():
                    self.loop.on_clock_jump(jump_s)
            self.loop.step()
            if self.loop.is_idle:
                with self._reliable():
                    self.loop.end_idle_failing_runs()
        except ServiceError as error:
            self._note("home", str(error.what))

    @contextmanager
    def _reliable(self) -> Iterator[None]:
        """The driver does not repeat these by itself; a home that fails in them ends the engine."""
        self.store.is_reliable = True
        try:
            yield
        finally:
            self.store.is_reliable = False

    def _jump(self, _: Any) -> None:
        jump_s = self.faults.choice(JUMPS_S)
        self._wall_offset_s += jump_s
        self.faults.injected["wall clock set"] += 1
        self._note("wall clock", f"set by {jump_s:+.0f} s")

    def _restart(self, _: Any) -> None:
        """End the engine with its bodies, and let another one resume its runs."""
        self.faults.injected["engine restarted"] += 1
        self._note("engine", "restarts")
        self.engine += 1
        waiting = [item for item in self.loop._waiting if isinstance(item, str)]
        self.loop = self._new_loop()
        with self._reliable():
            self.home.store.forget_page_timers()
            for run_id in self._plain_store.active_runs():
                self._resume(run_id)
            self.loop.flush()
        for event in waiting:  # they are in the inbox of a home on a disk
            self.loop.put(event)

    def _resume(self, run_id: str) -> None:
        store = self._plain_store
        snapshot, before = store.read_run_snapshot(run_id), facts_of(store, run_id)
        assert snapshot is not None
        self.loop.resume_run(run_id)
        after = facts_of(store, run_id)
        check_resumed(snapshot, before, after, self.loop.next_due(), now=self.clock())

    def _prune(self, _: Any) -> None:
        before = {run.id: run for run in self._plain_store.runs(RUNS_MAX)}
        with self._reliable():
            self.home.prune_step(self.clock() - KEEP_S)
        gone = before.keys() - {run.id for run in self._plain_store.runs(RUNS_MAX)}
        self.pruned |= gone
        self._note("pruning", f"deletes {len(gone)} runs")
        running = [run_id for run_id in gone if not before[run_id].is_over]
        if running:
            raise Unexpected(f"a run was pruned that is {before[running[0]].status}")

    def _poison(self, _: Any) -> None:
        self.faults.injected["poison"] += 1
        self.loop.put(self.faults.choice(("", "no JSON", '{"ring":{}}', '{"id":"x"}')))

    def _invoke(self, command: InvokeTask) -> None:
        self.invoked.append((run_id_of(command.task, command.key or ""), command.key or ""))
        self._put_command(command)

    def _put_command(self, command: Message) -> None:
        self._note("client", type(command).__name__)
        self.loop.put(self._sealed(command, CLIENT))

    # --- servers --------------------------------------------------------------------------------
    def _to_server(self, command: Command, _: str) -> None:
        if isinstance(command, CancelTask):
            self.servers[command.server].cancel(command)
        elif isinstance(command, RunTask):
            key = (command.run_id, command.task, command.attempt)
            self._check_back_off(key)
            self.begun_at.setdefault(key, self.now)
            # The server is a part of this process: its clock is the engine's.
            late_s = self.now - self.clock()
            here = command.model_copy(
                update={
                    "ack_by": utc(command.ack_by.timestamp() + late_s),
                    "start_by": utc(command.start_by.timestamp() + late_s),
                }
            )
            self.servers[command.server].receive(here, self.now)

    def _report(self, server: str, update: TaskStateChanged, at: float) -> None:
        engine = self.engine

        def put(_: Any) -> None:
            if engine == self.engine:  # else the body ended with its engine
                key = (update.run_id, update.task, update.attempt)
                if update.state == "error":
                    self.failed_at.setdefault(key, self.now)
                self.loop.put(self._sealed(update, server_source(server)))

        self._schedule(at, put, None)

    def _check_back_off(self, key: tuple[str, str, int]) -> None:
        run_id, task, attempt = key
        failed_at = self.failed_at.get((run_id, task, attempt - 1))
        if failed_at is None or key in self.begun_at:
            return
        run = self._plain_store.read_run(run_id)
        if run is None or run.commands:
            return  # it was retried by a command
        snapshot = self._plain_store.read_run_snapshot(run_id)
        assert snapshot is not None
        planned = snapshot.plan.tasks[snapshot.plan.index_of[task]]
        check_back_off(planned, attempt, self.now - failed_at)

    def _awaited(self) -> list[str]:
        """The runs of which something must have been published."""
        return [
            run_id
            for run_id, key in self.invoked
            if key != CURSED_KEY and run_id not in self.pruned
        ]

    def _schedule(self, at: float, action: Callable[[Any], None], argument: Any) -> None:
        heapq.heappush(self._heap, (at, next(self._number), action, argument))

    def _sealed(self, message: Message, source: str) -> str:
        event_id = f"event-{next(self._number)}"
        return seal(message, source, event_id, utc(self.clock()))

    def _note(self, who: str, what: str) -> None:
        if self._trace is not None:
            self._trace.add(self.now - BEGIN, who, what)
