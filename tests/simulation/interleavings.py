"""Interleavings: every order in which the handlers of a small run can take turns, with faults.

Handlers are the real programs. States with the same key are visited once, so this is exhaustive
within its bounds:

- one run of at most three tasks, on one page; at most `together` handlers run at the same time;
- servers answer a command with one update, `completed` or (a fault) `error`;
- time jumps to the next page timer if nothing else can happen, or (a fault) while handlers run;
- a fault is a crash after a write or a message, a lost answer of a write, a duplicate, a loss, a
  failing body, or such a jump; an input whose handler crashed cannot be lost: a queue holds it;
- effects that no other handler can observe (reading the clock, the plan, the graph) are performed
  together with the effect before them.

Four reductions take nothing from what may happen:

- If a state can be reached with fewer faults, only that is continued.
- A command is sent as soon as its handler reaches it.
- A command reaches its server before anything else happens: what the server does with it neither
  reads nor changes anything but the answers on their way, and these may wait as long as they like.
- A handler begins with its first read: before it, it holds nothing that its message does not, so
  that it does the same if it begins later. If it reads the clock first, it holds the time, and
  these are two steps.

Renaming equal tasks is no reduction: a handler goes through them in the order of the plan.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cerebro.core import effects
from simulation.programs import Programs
from simulation.small_run import READS, BrokenError, SmallRun, Upstream
from simulation.states import Handler, State, with_name, without
from world.world import NOON


@dataclass
class Exploration:
    """One graph, and the commands that may arrive at any time."""

    upstream: Upstream
    commands: tuple[str, ...] = ()
    retries: int = 0
    together: int = 2
    states: int = 0
    broken: str = ""

    def __post_init__(self) -> None:
        self._small_run = SmallRun(self.upstream, self.retries)
        self._programs = Programs(self._small_run)

    def explore(self, faults: int, states_max: int | None = None) -> "Exploration":
        """Visit every state, or the first `states_max`; stops at one that breaks an invariant."""
        first = State(
            now=NOON,
            run=None,
            facts=(None,) * self._small_run.plan.size,
            timer_due_at=None,
            on_its_way=tuple(sorted(("invoke", *self.commands))),
            redelivered=(),
            running=(),
            faults=faults,
        )
        visited: set[int] = set()
        level = {first.key(): first}
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
        level.clear()
        while frontier and (states_max is None or len(visited) < states_max):
            state = frontier.pop()
            is_at_rest = True
            for after in self._next(state):
                is_at_rest = False
                key = after.key()
                if key in visited:
                    continue
                if after.faults < state.faults:
                    with_fault[key] = after
                else:
                    visited.add(key)
                    frontier.append(after)
            if is_at_rest:
                self._small_run.check_at_rest(state)
        return with_fault

    # --- what may happen next -------------------------------------------------------------------
    def _next(self, state: State) -> Iterator[State]:
        for name in state.on_its_way:
            if name.startswith("run:"):
                yield from self._after_command(state, name)
                return
        for position, handler in enumerate(state.running):
            others = state._replace(
                running=state.running[:position] + state.running[position + 1 :]
            )
            yield from self._after_step(others, handler)
            if state.faults and isinstance(handler.effect, effects.WriteTask | effects.WriteRun):
                yield from self._after_step(
                    others._replace(faults=state.faults - 1), handler, is_answer_lost=True
                )
        if len(state.running) < self.together:
            for name in dict.fromkeys(state.on_its_way):
                if not name.startswith("ring:"):
                    yield from self._after_delivery(state, name)
            for name in dict.fromkeys(state.redelivered):
                taken = state._replace(redelivered=without(state.redelivered, name))
                yield from self._with_handler(taken, name)
            yield from self._after_timer(state)

    def _after_command(self, state: State, name: str) -> Iterator[State]:
        """A command reaches its server: it completes the task; it fails, or the command is lost or
        delivered twice."""
        completed, failed = name.replace("run:", "completed:"), name.replace("run:", "error:")
        left = without(state.on_its_way, name)
        yield state._replace(on_its_way=with_name(left, completed))
        if state.faults:
            faulty = state._replace(faults=state.faults - 1)
            yield faulty._replace(on_its_way=with_name(left, failed))
            yield faulty._replace(on_its_way=left)
            yield faulty._replace(on_its_way=with_name(state.on_its_way, completed))

    def _after_delivery(self, state: State, name: str) -> Iterator[State]:
        taken = state._replace(on_its_way=without(state.on_its_way, name))
        yield from self._with_handler(taken, name)
        if state.faults:
            yield from self._with_handler(state._replace(faults=state.faults - 1), name)
            if name.startswith(("completed:", "error:")):
                yield taken._replace(faults=state.faults - 1)

    def _after_timer(self, state: State) -> Iterator[State]:
        timers = [name for name in state.on_its_way if name.startswith("ring:")]
        if not timers:
            return
        first = min(timers, key=self._small_run.due)
        is_idle = (
            not state.running and not state.redelivered and len(timers) == len(state.on_its_way)
        )
        if is_idle or state.faults:
            fired = state._replace(
                on_its_way=without(state.on_its_way, first),
                now=max(state.now, self._small_run.due(first)),
                faults=state.faults if is_idle else state.faults - 1,
            )
            yield from self._with_handler(fired, first)

    # --- handlers -------------------------------------------------------------------------------
    def _with_handler(self, state: State, name: str) -> Iterator[State]:
        handler = self._programs.begin(state, name)
        if handler is None:
            yield self._acknowledged(state)
        elif handler.has_read_clock or not isinstance(handler.effect, READS):
            yield state._replace(running=(*state.running, handler))
        else:
            yield from self._after_step(state, handler)

    def _after_step(
        self, state: State, handler: Handler, *, is_answer_lost: bool = False
    ) -> Iterator[State]:
        """Perform a handler's effect, and the commands that it sends next.

        The handler may crash after whatever it wrote or sent.
        """
        step: Handler | None = handler
        while step is not None:
            state, answer = self._small_run.perform(state, step.effect)
            if is_answer_lost and answer is None:
                answer = step.effect.new
            if state.faults and not isinstance(step.effect, READS):
                yield state._replace(
                    redelivered=with_name(state.redelivered, step.name), faults=state.faults - 1
                )
            step = self._programs.next(state, step, answer)
            if step is not None and not isinstance(step.effect, effects.Publish):
                yield state._replace(running=(*state.running, step))
                return
            is_answer_lost = False
        yield self._acknowledged(state)

    def _acknowledged(self, state: State) -> State:
        self._small_run.check_acknowledged(state)
        return state


GRAPHS: Final[dict[str, Upstream]] = {
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
