"""Programs: brings the program of a handler to its next effect that other handlers can observe.

Invariant: a program is brought to where it was by giving it the same answers again. One that was
there before, and is given the same answer, is not run again.
"""

from typing import Any

from cerebro.core import effects
from cerebro.dispatch import program_for
from cordyna_core.errors import Fatal
from simulation.small_run import OBSERVABLE, SmallRun
from simulation.states import Handler, State, identity
from simulation.whereabouts import Whereabouts


class Programs:
    """The programs of one exploration."""

    def __init__(self, small_run: SmallRun) -> None:
        self._small_run, self._whereabouts = small_run, Whereabouts()
        self._known: dict[Any, Handler | None] = {}

    def begin(self, state: State, name: str) -> Handler | None:
        """Start the program of a message; None: it has ended."""
        return self._advance(state, name, 0, ())

    def next(self, state: State, handler: Handler, answer: Any) -> Handler | None:
        """Continue a program with an answer; None: it has ended."""
        return self._advance(state, handler.name, handler.whereabouts, (*handler.answers, answer))

    def _advance(
        self, state: State, name: str, before: int, answers: tuple[Any, ...]
    ) -> Handler | None:
        answer = identity(answers[-1]) if answers else None
        key = (name, before, answer, state.now, state.run is None)
        if key not in self._known:
            self._known[key] = self._rerun(state, name, answers)
        return self._known[key]

    def _rerun(self, state: State, name: str, answers: tuple[Any, ...]) -> Handler | None:
        """Give a fresh program all answers so far; None when it ends."""
        program = program_for(self._small_run.message(name))
        assert program is not None
        has_read_clock = False
        try:
            effect = program.send(None)
            for answer in answers:
                effect = program.send(answer)
            while (local := self._small_run.local_answer(effect, state)) is not OBSERVABLE:
                has_read_clock = has_read_clock or isinstance(effect, effects.Now)
                answers = (*answers, local)
                effect = program.send(local)
        except (StopIteration, Fatal):
            return None
        return Handler(name, answers, effect, self._whereabouts.of(program, effect), has_read_clock)
