"""States: everything that matters for what may happen next in an explored run.

Invariant: two states with the same key behave the same from here on, but for the faults that
are left. Facts and runs that mean the same are the same object (`Interned`), so that a key
holds their identities.
"""

from typing import Any, NamedTuple

from cerebro.core.model.run import Run
from cerebro.core.model.task_run import TaskRun


class Handler(NamedTuple):
    """A running program: its input, the answers that lead to where it is, and its next effect.

    `whereabouts` is a hash of where the program is and of all that it holds. `has_read_clock`:
    whether it read the clock before its first effect that others can observe.
    """

    name: str
    answers: tuple[Any, ...]
    effect: Any
    whereabouts: int
    has_read_clock: bool = False


class State(NamedTuple):
    """What is stored, what is on its way, and how far every handler is.

    `redelivered` holds inputs whose handler crashed: their queue holds them, so they cannot be
    lost.
    """

    now: float
    run: Run | None
    facts: tuple[TaskRun | None, ...]
    timer_due_at: float | None
    on_its_way: tuple[str, ...]
    redelivered: tuple[str, ...]
    running: tuple[Handler, ...]
    faults: int

    def key(self) -> int:
        running = [(handler.name, handler.whereabouts) for handler in self.running]
        running.sort()
        return hash(
            (
                self.now,
                id(self.run),
                tuple(map(id, self.facts)),
                self.timer_due_at,
                self.on_its_way,
                self.redelivered,
                tuple(running),
            )
        )

    def known_facts(self) -> dict[int, TaskRun]:
        return {index: fact for index, fact in enumerate(self.facts) if fact}


class Interned:
    """One object for all facts and runs that mean the same."""

    def __init__(self) -> None:
        self._by_content: dict[Any, Any] = {}
        self._by_id: dict[int, tuple[Any, Any]] = {}

    def __call__(self, written: Any) -> Any:
        """Return the object in place of `written`."""
        known = self._by_id.get(id(written))
        if known is None:
            one = self._by_content.setdefault(_distinguishing(written), written)
            known = self._by_id[id(written)] = one, written
        return known[0]


def identity(answer: Any) -> Any:
    """What tells an answer of the store from others: facts and runs in it are interned."""
    if isinstance(answer, TaskRun | Run):
        return id(answer)
    if isinstance(answer, dict):
        return tuple((index, id(fact)) for index, fact in answer.items())
    return answer


def _distinguishing(written: TaskRun | Run) -> Any:
    """What tells a fact or run from others: all of a fact, and what changes of a run."""
    if isinstance(written, TaskRun):
        return written
    run = written
    changing = (run.status, run.failing, run.cause, run.commands, run.reruns, run.watched)
    return (run.rev, run.version, *changing)


def without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    """`names`, with one `name` less."""
    position = names.index(name)
    return names[:position] + names[position + 1 :]


def with_name(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    """`names` and one more, in order: the order in which they were sent does not matter."""
    return tuple(sorted((*names, name)))
