"""Interleavings: every order in which the handlers of one small run can take turns, with every choice of a few faults.

A state is what is kept (run, facts, guard), what is on its way, and how far every handler is. Handlers are the real programs:
one is brought to where it was by giving it the same answers again. States that are the same are visited once, so this is
exhaustive within its bounds. Where the same can be reached with fewer faults, only that is gone on from, and a message is sent as
soon as its handler comes to it: neither takes anything from what may happen.

- one run of at most three tasks, on one page; at most `together` handlers at work at the same time;
- servers answer a command with one word, `completed` or (a fault) `error`;
- time stands still, and jumps to the next ring's due when nothing else can happen, or (a fault) while others are at work;
- a fault is a crash after a write or a message (its input comes again, and is not lost any more: a queue holds it), a lost answer of
  a write, a duplicate, a loss, a failing body, or such a jump;
- effects that nobody else sees (reading the clock, the plan, the graph) are taken together with the one before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from cerebro.core import effects as e
from cerebro.core import invariants
from cerebro.core.graph.graph import Graph
from cerebro.core.model import Plan, Run, RunSnapshot, TaskRun
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
from simulation.whereabouts import whereabouts

NOON: Final = 1_800_000_000.0


class Handler(NamedTuple):
    """A program at work: its input's name, answers that lead to where it stands, what it asks for next, and a hash of where it stands."""

    name: str
    answers: tuple[Any, ...]
    asks: Any
    whereabouts: int


class State(NamedTuple):
    """Everything that matters for what may happen next."""

    now: float
    run: Run | None
    facts: tuple[TaskRun | None, ...]
    guard: float | None
    on_its_way: tuple[str, ...]
    again: tuple[str, ...]
    at_work: tuple[Handler, ...]
    faults: int

    def key(self) -> tuple[Any, ...]:
        """What tells it from other states, but for the faults that are left."""
        return (
            self.now,
            _told(self.run),
            tuple(map(_told, self.facts)),
            self.guard,
            self.on_its_way,
            self.again,
            tuple(sorted((handler.name, handler.whereabouts) for handler in self.at_work)),
        )


def _told(answer: Any) -> Any:
    """What there is to tell of what a store answers; all else of it never changes."""
    match answer:
        case TaskRun() as fact:
            return (fact.attempt, fact.rank, fact.deadline, fact.cause, fact.rev, fact.timeline)
        case Run() as run:
            return (run.status, run.failing, run.rev, run.version, run.cause, run.commands)
        case dict() as facts:
            return tuple((index, _told(fact)) for index, fact in facts.items())
    return answer


@dataclass
class Exploration:
    """One graph, and the commands that may come at any time."""

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
        self.graph = Graph.of(
            {"s": ServerDeclared.model_validate({"server": "s", "tasks": tasks})}, 1
        )
        target = f"t{len(tasks) - 1}"
        plan = plan_invocation(self.graph, target)
        assert isinstance(plan, Plan)
        self.plan = plan
        self.run_id = run_id_of(target, "k")
        self.snapshot = RunSnapshot(
            Run(id=self.run_id, task=target, plan_id=plan.id, created_at=NOON, cause="invoke"), plan
        )
        said: dict[str, Message] = {
            "invoke": InvokeTask(task=target, key="k", meta=Meta(id="invoke")),
            "cancel": CancelRun(run_id=self.run_id, command_id="c", meta=Meta(id="cancel")),
            "retry": RetryRun(run_id=self.run_id, command_id="r", meta=Meta(id="retry")),
        }
        for name, message in said.items():
            self._messages[name] = Envelope(CLIENT, message, name, utc(NOON))
        # What cerebro calls these two as a cause.
        self._cause_of = {
            "cancel": derived_id("CancelRun", self.run_id, "c"),
            "retry": derived_id("RetryRun", self.run_id, "r"),
        }

    def explore(self, faults: int, most: int | None = None) -> "Exploration":
        """Visit every state, or the first `most` of them; stops at one that is broken."""
        first = State(
            NOON,
            None,
            (None,) * self.plan.size,
            None,
            tuple(sorted(("invoke", *self.commands))),
            (),
            (),
            faults,
        )
        visited: set[int] = set()
        level = {hash(first.key()): first}
        try:
            while level:
                level = self._explore_level(level, visited, most)
        except Broken as broken:
            self.broken = str(broken)
        self.states = len(visited)
        return self

    def _explore_level(
        self, level: dict[int, State], visited: set[int], most: int | None
    ) -> dict[int, State]:
        """Visit all that can be reached from these without another fault. Returns what one more fault makes of them."""
        worse: dict[int, State] = {}
        frontier = [state for key, state in level.items() if key not in visited]
        visited.update(level)
        while frontier and (most is None or len(visited) < most):
            state = frontier.pop()
            at_rest = True
            for after in self._next(state):
                at_rest = False
                key = hash(after.key())
                if key in visited:
                    continue
                if after.faults < state.faults:
                    worse[key] = after
                else:
                    visited.add(key)
                    frontier.append(after)
            if at_rest:
                self._at_rest(state)
        return worse

    def _due(self, ring: str) -> float:
        return float(self._messages[ring].due)

    # --- what may happen next ---------------------------------------------------------------------------------------
    def _next(self, state: State) -> Iterator[State]:
        for place, handler in enumerate(state.at_work):
            others = state._replace(at_work=state.at_work[:place] + state.at_work[place + 1 :])
            yield from self._stepped(others, handler)
            if state.faults and isinstance(handler.asks, e.WriteTask | e.WriteRun):
                yield from self._stepped(
                    others._replace(faults=state.faults - 1), handler, is_answer_lost=True
                )
        is_busy = len(state.at_work) >= self.together
        for name in dict.fromkeys(state.on_its_way):
            if not name.startswith("ring:") and (name.startswith("run:") or not is_busy):
                yield from self._delivered(state, name)
        if not is_busy:
            for name in dict.fromkeys(state.again):
                yield self._begun(state._replace(again=_without(state.again, name)), name)
            yield from self._rung(state)

    def _delivered(self, state: State, name: str) -> Iterator[State]:
        taken = state._replace(on_its_way=_without(state.on_its_way, name))
        worse = taken._replace(faults=state.faults - 1)
        if name.startswith("run:"):
            yield self._sent(taken, name.replace("run:", "completed:"))
            if state.faults:
                yield self._sent(worse, name.replace("run:", "error:"))
                yield worse
                yield self._sent(self._sent(worse, name.replace("run:", "completed:")), name)
            return
        yield self._begun(taken, name)
        if state.faults:
            yield self._begun(state._replace(faults=state.faults - 1), name)
            if name.startswith(("completed:", "error:")):
                yield worse

    def _rung(self, state: State) -> Iterator[State]:
        rings = [name for name in state.on_its_way if name.startswith("ring:")]
        if not rings:
            return
        first = min(rings, key=self._due)
        is_idle = not state.at_work and not state.again and len(rings) == len(state.on_its_way)
        if is_idle or state.faults:
            faults = state.faults if is_idle else state.faults - 1
            left = _without(state.on_its_way, first)
            yield self._begun(
                state._replace(
                    on_its_way=left, now=max(state.now, self._due(first)), faults=faults
                ),
                first,
            )

    # --- programs ---------------------------------------------------------------------------------------------------
    def _begun(self, state: State, name: str) -> State:
        handler = self._advanced(state, name, 0, ())
        return (
            self._acknowledged(state, name)
            if handler is None
            else state._replace(at_work=(*state.at_work, handler))
        )

    def _stepped(
        self, state: State, handler: Handler, *, is_answer_lost: bool = False
    ) -> Iterator[State]:
        """Perform what a handler asks, and with it the commands that it sends next. It may crash after whatever it wrote or sent."""
        step: Handler | None = handler
        while step is not None:
            state, answer = self._performed(state, step.asks)
            if is_answer_lost and answer is None:
                answer = step.asks.new
            if state.faults and not isinstance(step.asks, _READS):
                yield state._replace(again=_sorted(state.again, step.name), faults=state.faults - 1)
            step = self._advanced(state, step.name, step.whereabouts, (*step.answers, answer))
            if step is not None and not isinstance(step.asks, e.Publish):
                yield state._replace(at_work=(*state.at_work, step))
                return
            is_answer_lost = False
        yield self._acknowledged(state, handler.name)

    def _advanced(
        self, state: State, name: str, stood: int, answers: tuple[Any, ...]
    ) -> Handler | None:
        """Go on with a program from where it stood, up to the next effect that others could see; None: it has ended."""
        known = (name, stood, _told(answers[-1]) if answers else None, state.now, state.run is None)
        if known not in self._known_handlers:
            self._known_handlers[known] = self._run_on(state, name, answers)
        return self._known_handlers[known]

    def _run_on(self, state: State, name: str, answers: tuple[Any, ...]) -> Handler | None:
        """Give a fresh program all answers so far; None when it comes to its end."""
        program = program_for(self._message(name))
        assert program is not None
        try:
            asks = program.send(None)
            for answer in answers:
                asks = program.send(answer)
            while (local := self._local(asks, state)) is not _SEEN:
                answers = (*answers, local)
                asks = program.send(local)
        except (StopIteration, Fatal):
            return None
        return Handler(name, answers, asks, whereabouts(program, asks))

    def _local(self, effect: Any, state: State) -> Any:
        """The answer to an effect that nobody else sees; _SEEN when others do."""
        match effect:
            case e.Now():
                return state.now
            case e.ReadRunSnapshot():
                return self.snapshot if state.run else None
            case e.ReadGraph():
                return self.graph
            case e.ClaimKey():
                return effect.task
        is_command = isinstance(effect, e.Publish) and any(
            isinstance(message, RunTask) for message in effect.messages
        )
        is_quiet = isinstance(
            effect,
            e.WritePlan
            | e.NoteServer
            | e.NoteMissedAck
            | e.WriteCachedResult
            | e.ReadCachedResult
            | e.Publish,
        )
        return None if is_quiet and not is_command else _SEEN

    def _performed(self, state: State, effect: Any) -> tuple[State, Any]:
        match effect:
            case e.WriteRun():
                return self._run_written(state, effect)
            case e.WriteTask():
                return self._task_written(state, effect)
            case e.WritePageTimer():
                is_guarded = state.guard is not None and effect.after < state.guard <= effect.due
                return (state if is_guarded else state._replace(guard=effect.due)), None
            case e.SendPageTimer(ring):
                self._messages[ring.id] = ring
                return self._sent(state, ring.id), None
            case e.Publish(messages):
                for message in messages:
                    if isinstance(message, RunTask):
                        state = self._sent(state, f"run:{message.task}:{message.attempt}")
                return state, None
        return state, self._read(state, effect)

    def _read(self, state: State, effect: Any) -> Any:
        match effect:
            case e.ReadRun():
                return state.run
            case e.ReadTask():
                return state.facts[effect.index]
            case e.ReadTasks():
                return {index: fact for index in effect.indexes if (fact := state.facts[index])}
            case e.ReadPage():
                return {
                    index: fact for index, fact in reversed(list(enumerate(state.facts))) if fact
                }
            case e.HasPageTimer():
                return state.guard is not None and effect.after < state.guard <= effect.until
        raise AssertionError(effect)

    def _sent(self, state: State, name: str) -> State:
        return state._replace(on_its_way=_sorted(state.on_its_way, name))

    def _message(self, name: str) -> Any:
        if name not in self._messages:
            word, task, attempt = name.split(":")
            error = ErrorDescription(type="Oops") if word == "error" else None
            said = {"task": task, "attempt": int(attempt), "state": word, "error": error}
            update = TaskStateChanged.model_validate(
                {"server": "s", "run_id": self.run_id, "meta": {"id": name}, **said}
            )
            self._messages[name] = Envelope(server_source("s"), update, name, utc(NOON))
        return self._messages[name]

    # --- the store, and what must hold --------------------------------------------------------------------------------
    def _run_written(self, state: State, effect: e.WriteRun) -> tuple[State, Any]:
        there = state.run
        if (there.version if there else None) != (effect.seen.version if effect.seen else None):
            return state, there
        _require(invariants.of_run(self.plan, self._known(state), there, effect.new))
        return state._replace(run=effect.new), None

    def _task_written(self, state: State, effect: e.WriteTask) -> tuple[State, Any]:
        there, index = state.facts[effect.index], effect.index
        if (there.rev if there else None) != (effect.seen.rev if effect.seen else None):
            return state, there
        facts = (*state.facts[:index], effect.new, *state.facts[index + 1 :])
        assert state.run is not None
        after = state._replace(facts=facts)
        _require(
            invariants.of_task(
                self.snapshot, state.run, self._known(after), index, there, now=state.now
            )
        )
        return after, None

    def _acknowledged(self, state: State, name: str) -> State:
        if state.run is None:
            return state
        inputs = {*state.on_its_way, *state.again, *(handler.name for handler in state.at_work)}
        causes = inputs | {self._cause_of[each] for each in inputs if each in self._cause_of}
        rings = [self._due(each) for each in inputs if each.startswith("ring:")]
        known = self._known(state)
        _require(invariants.alive_though_over(self.snapshot, state.run, known, causes.__contains__))
        if state.run.status == "running":
            _require(invariants.unguarded(self.snapshot, known, 0, rings, causes.__contains__))
        return state

    def _at_rest(self, state: State) -> None:
        if state.run is not None:
            _require(invariants.at_rest(self.snapshot, state.run, self._known(state)))

    def _known(self, state: State) -> dict[int, TaskRun]:
        return {index: fact for index, fact in enumerate(state.facts) if fact}


class Broken(Exception):
    """An invariant broke."""


def _require(broken: str | None) -> None:
    if broken:
        raise Broken(broken)


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    place = names.index(name)
    return names[:place] + names[place + 1 :]


def _sorted(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(sorted((*names, name)))


_SEEN: Final = object()

_READS: Final = (e.ReadRun, e.ReadTask, e.ReadTasks, e.ReadPage, e.HasPageTimer)

GRAPHS: Final[dict[str, tuple[tuple[int, ...], ...]]] = {
    "a": ((),),
    "a b<-a": ((), (0,)),
    "a b<-a c<-b": ((), (0,), (1,)),
    "a b c<-a,b": ((), (), (0, 1)),
    "a b<-a c<-a,b": ((), (0,), (0, 1)),
}
"""Every closure of at most three tasks: the target is the only one that nobody awaits."""

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "alone": (),
    "cancelled": ("cancel",),
    "retried": ("retry",),
}
"""What may come at any time, also before the run is there."""
