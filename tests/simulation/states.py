"""States: everything that matters for what may happen next in an explored run.

Invariant: two states with the same key behave the same from here on, but for the faults that
are left.
"""

from typing import Any, NamedTuple

from cerebro.core.model import Run, TaskRun


class Handler(NamedTuple):
    """A running program: its input, the answers that lead to where it is, and its next effect.

    `whereabouts` is a hash of where the program is and of all that it holds.
    """

    name: str
    answers: tuple[Any, ...]
    effect: Any
    whereabouts: int


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

    def key(self) -> tuple[Any, ...]:
        return (
            self.now,
            distinguishing(self.run),
            tuple(map(distinguishing, self.facts)),
            self.timer_due_at,
            self.on_its_way,
            self.redelivered,
            tuple(sorted((handler.name, handler.whereabouts) for handler in self.running)),
        )

    def known_facts(self) -> dict[int, TaskRun]:
        return {index: fact for index, fact in enumerate(self.facts) if fact}


def distinguishing(answer: Any) -> Any:
    """What tells an answer of the store from others; the rest of it never changes."""
    match answer:
        case TaskRun() as fact:
            return (fact.attempt, fact.rank, fact.deadline, fact.cause, fact.rev, fact.timeline)
        case Run() as run:
            return (run.status, run.failing, run.rev, run.version, run.cause, run.commands)
        case dict() as facts:
            return tuple((index, distinguishing(fact)) for index, fact in facts.items())
    return answer


def without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    """`names`, with one `name` less."""
    position = names.index(name)
    return names[:position] + names[position + 1 :]


def with_name(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    """`names` and one more, in order: the order in which they were sent does not matter."""
    return tuple(sorted((*names, name)))
