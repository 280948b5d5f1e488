"""Interleavings: every order in which the handlers of a small run can take turns, with faults.

Handlers are the real programs. A handler is brought to where it was by giving it the same answers
again. States with the same key are visited once, so this is exhaustive within its bounds:

- one run of at most three tasks, on one page; at most `together` handlers run at the same time;
- servers answer a command with one update, `completed` or (a fault) `error`;
- time jumps to the next page timer if nothing else can happen, or (a fault) while handlers run;
- a fault is a crash after a write or a message, a lost answer of a write, a duplicate, a loss, a
  failing body, or such a jump; an input whose handler crashed cannot be lost: a queue holds it;
- effects that no other handler can observe (reading the clock, the plan, the graph) are performed
  together with the effect before them.

Two reductions take nothing from what may happen: if a state can be reached with fewer faults, only
that is continued; and a message is sent as soon as its handler reaches it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from cerebro.core import effects as e
from cerebro.core import invariants
from cerebro.core.incidents.effects import SendIncidentNotice
from cerebro.core.model import Plan, Run, RunSnapshot
from cerebro.core.planning.planner import plan_invocation
from cerebro.dispatch import program_for
from cordyna_core.contract.base import ErrorDescription, Message, Meta
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun, RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, derived_id, run_id_of, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.errors import Fatal
from simulation.states import Handler, State, distinguishing, with_name, without
from simulation.whereabouts import whereabouts
from world.declarations import graph_of
from world.world import NOON


@dataclass
class Exploration:
    """One graph, and the commands that may arrive at any time."""

    upstream: tuple[tuple[int, ...], ...]
    commands: tuple[str, ...] = ()
    retries: int = 0
    together: int = 2
    states: int = 0
    broken: str = ""
    _messages: dict[str, Any] = field(default_factory=dict)
    _known_handlers: dict[Any, Handler | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tasks = [
            {"name": f"t{index}", "upstream": [f"t{up}" for up in ups], "retries": self.retries}
            for index, ups in enumerate(self.upstream)
        ]
        self.graph = graph_of(ServerDeclared.model_validate({"server": "s", "tasks": tasks}))
        target = f"t{len(tasks) - 1}"
        plan = plan_invocation(self.graph, target)
        assert isinstance(plan, Plan)
        self.plan = plan
        self.run_id = run_id_of(target, "k")
        self.snapshot = RunSnapshot(
            Run(id=self.run_id, task=target, plan_id=plan.id, created_at=NOON, cause="invoke"), plan
        )
        commands: dict[str, Message] = {
            "invoke": InvokeTask(task=target, key="k", meta=Meta(id="invoke")),
            "cancel": CancelRun(run_id=self.run_id, command_id="c", meta=Meta(id="cancel")),
            "retry": RetryRun(run_id=self.run_id, command_id="r", meta=Meta(id="retry")),
        }
        for name, message in commands.items():
            self._messages[name] = Envelope(CLIENT, message, name, utc(NOON))
        # What facts name as their cause when these commands wrote them.
        self._cause_of = {
            "cancel": derived_id("CancelRun", self.run_id, "c"),
            "retry": derived_id("RetryRun", self.run_id, "r"),
        }

    def explore(self, faults: int, states_max: int | None = None) -> "Exploration":
        """Visit every state, or the first `states_max`; stops at one that breaks an invariant."""
        first = State(
            now=NOON,
            run=None,
            facts=(None,) * self.plan.size,
            timer_due_at=None,
            on_its_way=tuple(sorted(("invoke", *self.commands))),
            redelivered=(),
            running=(),
            faults=faults,
        )
        visited: set[int] = set()
        level = {hash(first.key()): first}
        try:
            while level:
                level = self._explore_level(level, visited, states_max)
        except BrokenError as broken:
            self.broken = str(broken)
        self.states = len(visited)
        return self

    def _explore_level(
        self, level: dict[int, State], visited: set[int], states_max: int | None
    ) -> dict[int, State]:
        """Visit all that is reachable without another fault.

        Returns the states that one more fault leads to.
        """
        with_fault: dict[int, State] = {}
        frontier = [state for key, state in level.items() if key not in visited]
        visited.update(level)
        while frontier and (states_max is None or len(visited) < states_max):
            state = frontier.pop()
            is_at_rest = True
            for after in self._next(state):
                is_at_rest = False
                key = hash(after.key())
                if key in visited:
                    continue
                if after.faults < state.faults:
                    with_fault[key] = after
                else:
                    visited.add(key)
                    frontier.append(after)
            if is_at_rest:
                self._check_at_rest(state)
        return with_fault

    def _due(self, timer: str) -> float:
        return float(self._messages[timer].due)

    # --- what may happen next -------------------------------------------------------------------
    def _next(self, state: State) -> Iterator[State]:
        for position, handler in enumerate(state.running):
            others = state._replace(
                running=state.running[:position] + state.running[position + 1 :]
            )
            yield from self._after_step(others, handler)
            if state.faults and isinstance(handler.effect, e.WriteTask | e.WriteRun):
                yield from self._after_step(
                    others._replace(faults=state.faults - 1), handler, is_answer_lost=True
                )
        is_busy = len(state.running) >= self.together
        for name in dict.fromkeys(state.on_its_way):
            if not name.startswith("ring:") and (name.startswith("run:") or not is_busy):
                yield from self._after_delivery(state, name)
        if not is_busy:
            for name in dict.fromkeys(state.redelivered):
                taken = state._replace(redelivered=without(state.redelivered, name))
                yield self._with_handler(taken, name)
            yield from self._after_timer(state)

    def _after_delivery(self, state: State, name: str) -> Iterator[State]:
        taken = state._replace(on_its_way=without(state.on_its_way, name))
        faulty = taken._replace(faults=state.faults - 1)
        if name.startswith("run:"):
            completed = name.replace("run:", "completed:")
            yield self._with_sent(taken, completed)
            if state.faults:
                yield self._with_sent(faulty, name.replace("run:", "error:"))
                yield faulty
                yield self._with_sent(self._with_sent(faulty, completed), name)
            return
        yield self._with_handler(taken, name)
        if state.faults:
            yield self._with_handler(state._replace(faults=state.faults - 1), name)
            if name.startswith(("completed:", "error:")):
                yield faulty

    def _after_timer(self, state: State) -> Iterator[State]:
        timers = [name for name in state.on_its_way if name.startswith("ring:")]
        if not timers:
            return
        first = min(timers, key=self._due)
        is_idle = (
            not state.running and not state.redelivered and len(timers) == len(state.on_its_way)
        )
        if is_idle or state.faults:
            fired = state._replace(
                on_its_way=without(state.on_its_way, first),
                now=max(state.now, self._due(first)),
                faults=state.faults if is_idle else state.faults - 1,
            )
            yield self._with_handler(fired, first)

    # --- programs -------------------------------------------------------------------------------
    def _with_handler(self, state: State, name: str) -> State:
        handler = self._advance(state, name, 0, ())
        if handler is None:
            return self._acknowledged(state, name)
        return state._replace(running=(*state.running, handler))

    def _after_step(
        self, state: State, handler: Handler, *, is_answer_lost: bool = False
    ) -> Iterator[State]:
        """Perform a handler's effect, and the commands that it sends next.

        The handler may crash after whatever it wrote or sent.
        """
        step: Handler | None = handler
        while step is not None:
            state, answer = self._perform(state, step.effect)
            if is_answer_lost and answer is None:
                answer = step.effect.new
            if state.faults and not isinstance(step.effect, _READS):
                yield state._replace(
                    redelivered=with_name(state.redelivered, step.name), faults=state.faults - 1
                )
            step = self._advance(state, step.name, step.whereabouts, (*step.answers, answer))
            if step is not None and not isinstance(step.effect, e.Publish):
                yield state._replace(running=(*state.running, step))
                return
            is_answer_lost = False
        yield self._acknowledged(state, handler.name)

    def _advance(
        self, state: State, name: str, before: int, answers: tuple[Any, ...]
    ) -> Handler | None:
        """Continue a program to its next effect that others can observe; None: it has ended."""
        answer = distinguishing(answers[-1]) if answers else None
        key = (name, before, answer, state.now, state.run is None)
        if key not in self._known_handlers:
            self._known_handlers[key] = self._rerun(state, name, answers)
        return self._known_handlers[key]

    def _rerun(self, state: State, name: str, answers: tuple[Any, ...]) -> Handler | None:
        """Give a fresh program all answers so far; None when it ends."""
        program = program_for(self._message(name))
        assert program is not None
        try:
            effect = program.send(None)
            for answer in answers:
                effect = program.send(answer)
            while (local := self._local_answer(effect, state)) is not _OBSERVABLE:
                answers = (*answers, local)
                effect = program.send(local)
        except (StopIteration, Fatal):
            return None
        return Handler(name, answers, effect, whereabouts(program, effect))

    def _local_answer(self, effect: Any, state: State) -> Any:
        """The answer to an effect that no other handler observes, else _OBSERVABLE."""
        match effect:
            case e.Now():
                return state.now
            case e.ReadRunSnapshot():
                return self.snapshot if state.run else None
            case e.ReadGraph():
                return self.graph
        is_command = isinstance(effect, e.Publish) and any(
            isinstance(message, RunTask) for message in effect.messages
        )
        return None if isinstance(effect, _UNOBSERVED) and not is_command else _OBSERVABLE

    def _perform(self, state: State, effect: Any) -> tuple[State, Any]:
        match effect:
            case e.WriteRun():
                return self._write_run(state, effect)
            case e.WriteTask():
                return self._write_task(state, effect)
            case e.WritePageTimer():
                due = state.timer_due_at
                is_guarded = due is not None and effect.after < due <= effect.due
                return (state if is_guarded else state._replace(timer_due_at=effect.due)), None
            case e.SendPageTimer() | e.SendOverdueCheck() | e.Publish():
                for name in self._sent_by(effect):
                    state = self._with_sent(state, name)
                return state, None
        return state, self._read(state, effect)

    def _sent_by(self, effect: e.SendPageTimer | e.SendOverdueCheck | e.Publish) -> Iterator[str]:
        """The names of the messages that an effect sends, that lead to anything."""
        match effect:
            case e.SendPageTimer(timer):
                self._messages[timer.id] = timer
                yield timer.id
            case e.SendOverdueCheck(check):
                name = f"{check.id}:{check.turn}:{check.start}"
                self._messages[name], self._cause_of[name] = check, check.id
                yield name
            case e.Publish(messages):
                for message in messages:
                    if isinstance(message, RunTask):
                        yield f"run:{message.task}:{message.attempt}"

    def _read(self, state: State, effect: Any) -> Any:
        match effect:
            case e.ReadRun():
                return state.run
            case e.ReadTask():
                return state.facts[effect.index]
            case e.ReadTasks():
                return {index: fact for index in effect.indexes if (fact := state.facts[index])}
            case e.ReadPage():
                facts = reversed(list(enumerate(state.facts)))
                return {index: fact for index, fact in facts if fact}
            case e.HasPageTimer():
                due = state.timer_due_at
                return due is not None and effect.after < due <= effect.until
        raise AssertionError(effect)

    def _with_sent(self, state: State, name: str) -> State:
        return state._replace(on_its_way=with_name(state.on_its_way, name))

    def _message(self, name: str) -> Any:
        if name not in self._messages:
            reported, task, attempt = name.split(":")
            update = TaskStateChanged(
                meta=Meta(id=name),
                server="s",
                run_id=self.run_id,
                task=task,
                attempt=int(attempt),
                state="error" if reported == "error" else "completed",
                error=ErrorDescription(type="Oops") if reported == "error" else None,
            )
            self._messages[name] = Envelope(server_source("s"), update, name, utc(NOON))
        return self._messages[name]

    # --- the store, and what must hold ----------------------------------------------------------
    def _write_run(self, state: State, effect: e.WriteRun) -> tuple[State, Any]:
        stored = state.run
        if (stored.version if stored else None) != (effect.seen.version if effect.seen else None):
            return state, stored
        _require(invariants.of_run(self.plan, state.known_facts(), stored, effect.new))
        return state._replace(run=effect.new), None

    def _write_task(self, state: State, effect: e.WriteTask) -> tuple[State, Any]:
        stored, index = state.facts[effect.index], effect.index
        if (stored.rev if stored else None) != (effect.seen.rev if effect.seen else None):
            return state, stored
        after = state._replace(facts=(*state.facts[:index], effect.new, *state.facts[index + 1 :]))
        run, facts = state.run, after.known_facts()
        assert run is not None
        _require(invariants.of_task(self.snapshot, run, facts, index, stored, now=state.now))
        return after, None

    def _acknowledged(self, state: State, name: str) -> State:
        if state.run is None:
            return state
        running = (handler.name for handler in state.running)
        inputs = {*state.on_its_way, *state.redelivered, *running}
        causes = inputs | {self._cause_of[name] for name in inputs if name in self._cause_of}
        timers = [self._due(name) for name in inputs if name.startswith("ring:")]
        facts, is_pending = state.known_facts(), causes.__contains__
        _require(invariants.alive_though_over(self.snapshot, state.run, facts, is_pending))
        if state.run.status == "running":
            overdue = (name for name in inputs if name.startswith("overdue:"))
            checks = [self._messages[name].asked_at for name in overdue]
            unguarded = invariants.unguarded(
                self.snapshot, facts, 0, timers, checks, is_pending, now=state.now
            )
            _require(unguarded)
        return state

    def _check_at_rest(self, state: State) -> None:
        if state.run is not None:
            _require(invariants.at_rest(self.snapshot, state.run, state.known_facts()))


class BrokenError(Exception):
    """An invariant broke."""


def _require(broken: str | None) -> None:
    if broken:
        raise BrokenError(broken)


_OBSERVABLE: Final = object()

_READS: Final = (e.ReadRun, e.ReadTask, e.ReadTasks, e.ReadPage, e.HasPageTimer)

_UNOBSERVED: Final = (
    SendIncidentNotice,
    e.WritePlan,
    e.NoteServer,
    e.NoteMissedAck,
    e.WriteCachedResult,
    e.ReadCachedResult,
    e.Publish,
)

GRAPHS: Final[dict[str, tuple[tuple[int, ...], ...]]] = {
    "a": ((),),
    "a b<-a": ((), (0,)),
    "a b<-a c<-b": ((), (0,), (1,)),
    "a b c<-a,b": ((), (), (0, 1)),
    "a b<-a c<-a,b": ((), (0,), (0, 1)),
}
"""Every closure of at most three tasks: the target is the only task without downstream."""

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "alone": (),
    "cancelled": ("cancel",),
    "retried": ("retry",),
}
"""What may arrive at any time, also before the run exists."""
