"""World: cerebro, its servers and all between them, in virtual time, from one seed.

Law: a handler's steps take milliseconds unless a fault pauses it; handlers that are at work at the same time take turns in
any order. A world goes on until nothing is on its way any more.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core.graph.graph import Head, version_of
from cerebro.handlers.sweep import sweep
from cerebro.shell import Ports
from cerebro.simulator.adversary import adversary_event
from cerebro.simulator.checker import Checker, InvariantBroken
from cerebro.simulator.faults import FaultInjector
from cerebro.simulator.handlers import SimulatedCerebro
from cerebro.simulator.network import Network
from cerebro.simulator.scenario import BEGIN, Scenario, scenario_of
from cerebro.simulator.server_behavior import SimulatedServer
from cerebro.simulator.trace import Trace
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import server_source

SWEEP_EVERY_S: Final = 900.0
LAST_SWEEP_S: Final = 12 * 86_400.0
MOST_STEPS: Final = 200_000


@dataclass(slots=True)
class Verdict:
    """How a world went. `broken` None: as it should."""

    seed: int
    broken: str | None = None
    run_id: str = ""
    at: float = 0.0
    effects: int = 0
    runs: int = 0
    attempts: int = 0
    struck: dict[str, int] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        return sum(self.struck.values())


class World:
    """One world; `run` lets it happen."""

    def __init__(
        self,
        seed: int,
        scenario: Scenario | None = None,
        *,
        own: Sequence[ServerDeclared] = (),
        history: Trace | None = None,
        crash_at: dict[int, str] | None = None,
    ) -> None:
        self.seed, self.luck = seed, FaultInjector(seed)
        self.scenario = scenario or scenario_of(seed, self.luck, own)
        self.store = MemoryStore()
        storm = self.scenario.storm
        is_punctual = not (storm.steps or storm.messages or storm.rings or storm.skew_s or crash_at)
        self.watch = Checker(self.store, storm.skew_s, is_punctual=is_punctual)
        self.traffic = Network(self.scenario, self.luck, self.watch, history)
        ports = Ports(
            store=self.store,
            bus=self.traffic,
            timers=self.traffic,
            crons=self.traffic,
            clock=self._clock,
        )
        self.ports = ports
        self.cerebro = SimulatedCerebro(
            ports,
            self.traffic,
            self.luck,
            self.watch,
            nets=self.scenario.nets,
            batch=self.scenario.batch,
            crash_at=crash_at,
        )
        self.servers = {
            name: SimulatedServer(name, temper, self.luck, self._server_says, BEGIN)
            for name, temper in self.scenario.servers.items()
        }
        self.traffic.to_cerebro = self.cerebro.deliver
        self.traffic.to_server = self._server_hears
        self._set_up()

    def _clock(self) -> float:
        return self.traffic.now + self.cerebro.skew

    def _set_up(self) -> None:
        scenario, traffic, luck = self.scenario, self.traffic, self.luck
        if scenario.declares_itself:
            for declared in scenario.declared:
                traffic.say(server_source(declared.server), declared, BEGIN)
        else:
            versions = {declared.server: version_of(declared) for declared in scenario.declared}
            for declared in scenario.declared:
                self.store.write_declaration(versions[declared.server], declared)
            self.store.write_head(Head(1, versions), Head())
        for said in scenario.says:
            traffic.at(
                BEGIN + said.after + (1.0 if scenario.declares_itself else 0.0), self._put, said
            )
        luck.begin(scenario.storm)
        if scenario.storm_s:
            traffic.at(BEGIN + scenario.storm_s, self._calm, None)
        if scenario.storm.messages:
            for _ in range(luck.whole(0, 4)):
                traffic.at(BEGIN + luck.between(1, 120), self._intrude, None)
        if scenario.nets in ("both", "no repair"):
            traffic.at(BEGIN + SWEEP_EVERY_S, self._sweep, None)

    def run(self) -> Verdict:
        """Let it happen."""
        self.scenario.sizes.set()
        verdict = Verdict(self.seed)
        try:
            self._go_on()
            self.watch.at_rest(is_live=self.scenario.nets in ("both", "no sweep"))
        except InvariantBroken as broken:
            verdict.broken, verdict.run_id = broken.law, broken.run_id
        except Exception as raised:
            verdict.broken = f"{type(raised).__name__}: {raised}"
        verdict.at = self.traffic.now - BEGIN
        verdict.effects, verdict.struck = self.cerebro.effects, dict(self.luck.struck)
        verdict.runs = len(self.store._runs)
        verdict.attempts = len(self.watch.sent)
        return verdict

    def _go_on(self) -> None:
        traffic, cerebro, draw = self.traffic, self.cerebro, self.luck.draw
        heap, at_work, step, pop = traffic.heap, cerebro.at_work, cerebro.step, heapq.heappop
        for _ in range(MOST_STEPS):
            if at_work and not (heap and heap[0][0] <= traffic.now):
                turn = draw() * len(at_work)
                index = int(turn)
                handler = at_work[index]
                traffic.now += (turn - index) * 0.03
                if not step(handler):
                    at_work.remove(handler)
            elif heap:
                due, _, deliver, what = pop(heap)
                traffic.now = max(traffic.now, due)
                deliver(what)
            else:
                return
        raise InvariantBroken("the world does not come to rest")

    def _put(self, said: Any) -> None:
        self.traffic.note(said.source.removeprefix("cordyna."), type(said.message).__name__, "")
        self.traffic.say(said.source, said.message, self.traffic.now)

    def _server_hears(self, command: RunTask) -> None:
        server = self.servers.get(command.server)
        if server is not None:
            self.traffic.note(
                command.server,
                "hears RunTask",
                f"{command.task} attempt {command.attempt}",
                command.run_id,
            )
            server.hear(command, self.traffic.now)

    def _server_says(self, server: str, update: Any, at: float) -> None:
        self.traffic.say(server_source(server), update, at)

    def _calm(self, _: Any) -> None:
        self.traffic.note("weather", "calm")
        self.luck.calm()

    def _intrude(self, _: Any) -> None:
        event_id = f"intruder-{next(self.traffic.event_number)}"
        kind, body = adversary_event(
            self.luck,
            list(self.store._runs.values()),
            list(self.servers),
            self.traffic.now,
            event_id,
        )
        self.luck.struck[kind] += 1
        self.traffic.note("intruder", kind)
        self.traffic.inject_raw(body, event_id, self.traffic.now)

    def _sweep(self, _: Any) -> None:
        traffic = self.traffic
        self.cerebro.skew = 0.0
        sweep(self.ports)
        is_idle = not (self.cerebro.at_work or self.store.active_runs())
        if traffic.now - BEGIN >= LAST_SWEEP_S or (is_idle and not traffic.heap):
            return
        due = traffic.now + SWEEP_EVERY_S
        # Until something happens, there is nothing to sweep.
        next_event = min(traffic.heap[0][0], BEGIN + LAST_SWEEP_S) if is_idle else due
        while due < next_event:
            due += SWEEP_EVERY_S
        traffic.at(due, self._sweep, None)
