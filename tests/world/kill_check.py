"""Kill check: what must hold after random kills, whatever was killed when.

Every accepted run has ended, and as completed unless it was cancelled; no task completed in two
attempts, and no body of it began after it had completed; what was cancelled stayed cancelled, and
nothing of it began later; nothing became a dead letter; and no process is left, except what the
body of a completed attempt left on purpose.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

TOLERANCE_S: Final = 0.1
CANCEL_TOLERANCE_S: Final = 2.0


class Effect(NamedTuple):
    """What a body noted by itself: `begin`, `end`, or `left` with the process that it left."""

    at: float
    what: str
    run_id: str
    task: str
    attempt: int
    pid: int


class Completion(NamedTuple):
    """A recorded `completed` of an attempt."""

    at: float
    run_id: str
    task: str
    attempt: int


class RunEnd(NamedTuple):
    """How a run is shown at last."""

    state: str
    is_cancelled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KillHistory:
    """Everything that the checker reads. `cancelled`: when each cancellation was answered."""

    effects: tuple[Effect, ...] = ()
    completions: tuple[Completion, ...] = ()
    runs: Mapping[str, RunEnd] = field(default_factory=dict)
    cancelled: Mapping[str, float] = field(default_factory=dict)
    dead_letters: tuple[str, ...] = ()
    processes: frozenset[int] = frozenset()


def parse_effects(text: str) -> Iterator[Effect]:
    """The notes of the bodies, one a line."""
    for line in text.splitlines():
        at, what, run_id, task, attempt, pid = line.split()
        yield Effect(float(at), what, run_id, task, int(attempt), int(pid))


def violations(history: KillHistory) -> list[str]:
    """What does not hold."""
    return [
        *_lost(history),
        *_repeated(history),
        *_began_too_late(history),
        *(f"dead letter: {reason}" for reason in history.dead_letters),
        *_left_processes(history),
    ]


def left_on_purpose(history: KillHistory) -> frozenset[int]:
    """The processes that bodies of completed attempts left."""
    completed = {(each.run_id, each.task, each.attempt) for each in history.completions}
    return frozenset(
        effect.pid
        for effect in history.effects
        if effect.what == "left" and (effect.run_id, effect.task, effect.attempt) in completed
    )


def _lost(history: KillHistory) -> Iterator[str]:
    for run_id, end in history.runs.items():
        if run_id in history.cancelled:
            if not end.is_cancelled:
                yield f"run {run_id} was cancelled and is {end.state}"
        elif end.state != "completed":
            yield f"run {run_id} ended as {end.state}"


def _repeated(history: KillHistory) -> Iterator[str]:
    attempts: dict[tuple[str, str], set[int]] = {}
    for run_id, task, attempt in (each[1:] for each in history.completions):
        attempts.setdefault((run_id, task), set()).add(attempt)
    for (run_id, task), numbers in attempts.items():
        if len(numbers) > 1:
            yield f"{task} of {run_id} completed in attempts {sorted(numbers)}"


def _began_too_late(history: KillHistory) -> Iterator[str]:
    completed_at = _first_completions(history.completions)
    for effect in history.effects:
        if effect.what != "begin":
            continue
        name = f"{effect.task} of {effect.run_id}"
        completed = completed_at.get((effect.run_id, effect.task))
        if completed is not None and effect.at > completed + TOLERANCE_S:
            yield f"{name} began {effect.at - completed:.2f} s after it completed"
        cancelled = history.cancelled.get(effect.run_id)
        if cancelled is not None and effect.at > cancelled + CANCEL_TOLERANCE_S:
            yield f"{name} began {effect.at - cancelled:.2f} s after its cancel"


def _first_completions(completions: Iterable[Completion]) -> dict[tuple[str, str], float]:
    first: dict[tuple[str, str], float] = {}
    for each in completions:
        first.setdefault((each.run_id, each.task), each.at)
    return first


def _left_processes(history: KillHistory) -> Iterator[str]:
    left = sorted(history.processes - left_on_purpose(history))
    if left:
        yield f"processes are left: {left}"
