"""World: cerebro, its task servers and everything between them, in virtual time, from one seed.

A handler's steps take milliseconds unless a fault pauses it; handlers that run at the same time
take turns in any order.

Invariant: a world ends when nothing is on its way any more.
"""

import heapq
from collections.abc import Sequence
from typing import Any, Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core.graph.versions import Head, version_of
from cerebro.handlers.sweep import sweep_shards
from cerebro.shell import Ports
from cerebro.simulator.checks.checker import Checker, InvariantBroken
from cerebro.simulator.checks.load_promises import LoadPromises
from cerebro.simulator.drawn.scenario import scenario_of
from cerebro.simulator.parts.adversary import adversary_event
from cerebro.simulator.parts.cached_facts import CachedFacts
from cerebro.simulator.parts.faults import FaultInjector
from cerebro.simulator.parts.scenario import BEGIN, Scenario, ScriptedMessage
from cerebro.simulator.parts.server_behavior import SimulatedServer
from cerebro.simulator.parts.trace import Trace
from cerebro.simulator.parts.verdict import Verdict
from cerebro.simulator.worlds.capacity import BoundedHandlers
from cerebro.simulator.worlds.handlers import SimulatedCerebro
from cerebro.simulator.worlds.network import Network
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.state_updates import TaskStateChanged

CACHE_INTERVAL: Final = 3
"""One seed in this many has a store that caches facts."""

SWEEP_INTERVAL_S: Final = 900.0
LAST_SWEEP_S: Final = 12 * 86_400.0
UNTOUCHED_SWEEPS_MAX: Final = 2
"""A run whose clocks have all run out is continued by the first sweep or, at the latest, the next.

What that sends expires in a message of its own.
"""
UNTOUCHED_MARGIN_S: Final = 60.0
STEPS_MAX: Final = 200_000
STEPS_PER_TASK_MAX: Final = 200
STEP_S_MAX: Final = 0.03
"""What one effect of a handler takes at most, divided by the number of running handlers."""


class World:
    """One world; `run` lets it happen."""

    def __init__(
        self,
        seed: int,
        scenario: Scenario | None = None,
        *,
        own: Sequence[ServerDeclared] = (),
        trace: Trace | None = None,
        crash_at: dict[int, str] | None = None,
    ) -> None:
        self.seed, self.faults = seed, FaultInjector(seed)
        self.scenario = scenario or scenario_of(seed, self.faults, own)
        self.store = MemoryStore()
        rates = self.scenario.rates
        has_faults = bool(rates.steps or rates.messages or rates.timers or rates.skew_s or crash_at)
        is_punctual = not has_faults and self.scenario.capacity is None
        self.checker = Checker(self.store, rates.skew_s, is_punctual=is_punctual)
        self.checker.reference.repairs = self.scenario.safety_nets in ("both", "no sweep")
        self.network = Network(self.scenario, self.faults, self.checker, trace)
        self.checker.now = lambda: self.network.now
        store: Any = self.store
        self.ports = Ports(
            store=CachedFacts(store) if seed % CACHE_INTERVAL == 0 else store,
            bus=self.network,
            timers=self.network,
            crons=self.network,
            clock=self._clock,
        )
        self.cerebro = SimulatedCerebro(
            self.ports,
            self.network,
            self.faults,
            self.checker,
            safety_nets=self.scenario.safety_nets,
            batch=self.scenario.batch,
            crash_at=crash_at,
            reads_stored_forms=self.scenario.sealed,
        )
        self.servers = {
            name: SimulatedServer(
                name, behavior, self.faults, self._publish_update, self.network.schedule, BEGIN
            )
            for name, behavior in self.scenario.servers.items()
        }
        self.checker.promises = LoadPromises(self.store, self.servers, has_faults=has_faults)
        self.network.to_cerebro = self.cerebro.deliver
        self.handlers: BoundedHandlers | None = None
        if self.scenario.capacity is not None:
            self.handlers = BoundedHandlers(
                self.scenario.capacity, self.network, self.faults, self.cerebro
            )
            self.network.to_cerebro = self.handlers.deliver
            self.checker.ages_s = self.handlers.ages_s
        self.network.to_server = self._deliver_command
        self._untouched_max_s = (
            self._longest_clock_s() + UNTOUCHED_SWEEPS_MAX * SWEEP_INTERVAL_S + UNTOUCHED_MARGIN_S
        )
        self._held_up_until = BEGIN
        """When a sweep last found a queue held up: nothing has to continue before that."""
        self._writes_swept, self._unwritten_since = 0, BEGIN
        self._set_up()

    @property
    def kind(self) -> str:
        """The safety nets that are in place, or that handlers are bounded."""
        return "fan-out" if self.handlers is not None else self.scenario.safety_nets

    def _clock(self) -> float:
        return self.network.now + self.cerebro.skew_s

    def _set_up(self) -> None:
        scenario, network, faults = self.scenario, self.network, self.faults
        self._declare()
        for scripted in scenario.script:
            network.schedule(
                BEGIN + scripted.after + (1.0 if scenario.declares_itself else 0.0),
                self._publish_scripted,
                scripted,
            )
        for number, (after, text) in enumerate(scenario.unreadable):
            network.inject_raw(text, f"unreadable-{number}", BEGIN + after)
        faults.start(scenario.rates)
        if scenario.faults_until_s:
            network.schedule(BEGIN + scenario.faults_until_s, self._stop_faults, None)
        if scenario.rates.messages:
            for _ in range(faults.integer(0, 2)):
                network.schedule(BEGIN + faults.uniform(1, 60), self._inject_adversary_event, None)
        if scenario.safety_nets in ("both", "no repair"):
            network.schedule(BEGIN + SWEEP_INTERVAL_S, self._sweep, None)

    def _declare(self) -> None:
        declarations = self.scenario.declared
        if self.scenario.declares_itself:
            for declared in declarations:
                self.network.publish_event(server_source(declared.server), declared, BEGIN)
            return
        versions = {declared.server: version_of(declared) for declared in declarations}
        for declared in declarations:
            self.store.write_declaration(versions[declared.server], declared)
        self.store.write_head(Head(1, versions), Head())

    def run(self) -> Verdict:
        """Let the world happen."""
        self.scenario.sizes.set()
        verdict = Verdict(self.seed)
        try:
            self._run_until_rest()
            self.checker.at_rest(is_live=self.scenario.safety_nets in ("both", "no sweep"))
        except InvariantBroken as broken:
            verdict.broken, verdict.run_id = broken.invariant, broken.run_id
        except Exception as error:  # noqa: BLE001 - a world that raises is broken
            verdict.broken = f"{type(error).__name__}: {error}"
        verdict.at = self.network.now - BEGIN
        verdict.effects, verdict.injected = self.cerebro.effects, dict(self.faults.injected)
        verdict.runs = len(self.store._runs)
        verdict.attempts = len(self.checker.published_ids.sent)
        return verdict

    def _run_until_rest(self) -> None:
        network, cerebro, draw = self.network, self.cerebro, self.faults.draw
        heap, running, step, pop = network.heap, cerebro.running, cerebro.step, heapq.heappop
        steps_max = STEPS_MAX + STEPS_PER_TASK_MAX * sum(
            len(declared.tasks) for declared in self.scenario.declared
        )
        for _ in range(steps_max):
            if running and not (heap and heap[0][0] <= network.now):
                turn = draw() * len(running)
                index = int(turn)
                handler = running[index]
                network.now += (turn - index) * STEP_S_MAX
                if not step(handler):
                    running.remove(handler)
            elif heap:
                due, _, action, argument = pop(heap)
                network.now = max(network.now, due)
                action(argument)
            else:
                return
        raise InvariantBroken(f"the world did not come to rest within {steps_max:,} steps")

    def _publish_scripted(self, scripted: ScriptedMessage) -> None:
        sender = scripted.source.removeprefix("cordyna.")
        self.network.trace(sender, type(scripted.message).__name__, "")
        self.network.publish_event(scripted.source, scripted.message, self.network.now)

    def _deliver_command(self, command: RunTask | CancelTask) -> None:
        server = self.servers.get(command.server)
        if server is None:
            return
        if isinstance(command, CancelTask):
            server.cancel(command)
        else:
            about = f"{command.task} attempt {command.attempt}"
            self.network.trace(command.server, "receives RunTask", about, command.run_id)
            server.receive(command, self.network.now)

    def _publish_update(self, server: str, update: TaskStateChanged, at: float) -> None:
        self.network.publish_event(server_source(server), update, at)

    def _stop_faults(self, _: Any) -> None:
        self.network.trace("fault", "no more faults")
        self.faults.stop()

    def _inject_adversary_event(self, _: Any) -> None:
        event_id = f"adversary-{next(self.network.event_number)}"
        kind, body = adversary_event(
            self.faults,
            list(self.store._runs.values()),
            list(self.servers),
            self.network.now,
            event_id,
        )
        self.faults.injected[kind] += 1
        self.network.trace("adversary", kind)
        self.network.inject_raw(body, event_id, self.network.now)

    def _longest_clock_s(self) -> float:
        declared = [task for server in self.scenario.declared for task in server.tasks]
        clocks = [
            (task.ack_timeout_s + task.start_timeout_s, task.run_timeout_s) for task in declared
        ]
        return max((float(max(own)) for own in clocks), default=0.0)

    def _sweep(self, _: Any) -> None:
        network = self.network
        if self.scenario.safety_nets == "both":
            if self.handlers is not None and self.handlers.are_held_up():
                self._held_up_until = network.now
            disturbed_until = max(BEGIN + self.scenario.faults_until_s, self._held_up_until)
            self.checker.check_continued(self._untouched_max_s, disturbed_until)
        is_waiting = self._is_waiting()
        if not is_waiting:
            self.cerebro.skew_s = 0.0
            sweep_shards(self.ports, self.store, [0], lambda: True)
        is_idle = is_waiting or not (self.cerebro.running or self.store.active_runs())
        if network.now - BEGIN >= LAST_SWEEP_S or (is_idle and not network.heap):
            return
        due = network.now + SWEEP_INTERVAL_S
        # Until something happens, there is nothing to sweep.
        next_event = min(network.heap[0][0], BEGIN + LAST_SWEEP_S) if is_idle else due
        while due < next_event:
            due += SWEEP_INTERVAL_S
        network.schedule(due, self._sweep, None)

    def _is_waiting(self) -> bool:
        """Return whether all runs wait for a message that is a dead letter, perhaps for days.

        Nothing has been written for longer than any clock, and page timers repair nothing: each
        sweep finds what the one before has found.
        """
        if self._writes_swept != self.checker.writes:
            self._writes_swept, self._unwritten_since = self.checker.writes, self.network.now
        is_unwritten = self.network.now - self._unwritten_since > self._untouched_max_s
        return (
            is_unwritten and self.scenario.safety_nets == "no repair" and not self.cerebro.running
        )
