"""Divergence: where two histories of one run part: what was said, when, and how everything stands in the end.

Law: a message is the same when it has the same id, which is derived from what it tells. What follows from the time alone
(the deadlines in a command) is not compared, and the time itself only as exactly as clocks are kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cerebro.core.messages import wire_task_state
from cerebro.core.model import Run, TaskRun
from cerebro.embedded.replay.recording import Decided, Recording
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.state_updates import InvocationRejected, TaskStateChanged
from cordyna_core.contract.time import rfc3339, utc
from cordyna_core.contract.views.rehearsal import Difference, Divergence

_NOT_COMPARED: Final = {"meta", "ack_by", "start_by"}


def divergences(
    recording: Recording,
    decided: Sequence[Decided],
    run: Run,
    facts: Mapping[int, TaskRun],
    *,
    tolerance_s: float,
) -> list[Divergence]:
    """Where the run as decided anew is not as it was recorded, the first first; how things end last."""
    now = {each.id: each for each in decided}
    then = {each.id: each for each in recording.decided}
    found = [
        each
        for old in then.values()
        if (each := _of_decision(old, now.get(old.id), tolerance_s)) is not None
    ]
    found += [_divergence("new", new) for new in decided if new.id not in then]
    # Sorting keeps the recorded order where the times are the same.
    found.sort(key=lambda divergence: divergence.at or utc(0))
    told = {divergence.task for divergence in found if divergence.task is not None}
    return [*found, *(each for each in _of_ends(recording, run, facts) if each.task not in told)]


def _of_decision(old: Decided, new: Decided | None, tolerance_s: float) -> Divergence | None:
    if new is None:
        return _divergence("missing", old)
    before, after = _content(old.message), _content(new.message)
    if before != after:
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        return _divergence(
            "otherwise",
            old,
            [
                Difference(what=name, before=before.get(name), after=after.get(name))
                for name in names
            ],
        )
    if abs(old.at - new.at) > tolerance_s:
        return _divergence(
            "time",
            old,
            [Difference(what="at", before=rfc3339(utc(old.at)), after=rfc3339(utc(new.at)))],
        )
    return None


def _content(message: Message) -> dict[str, Any]:
    return message.model_dump(mode="json", exclude=_NOT_COMPARED)


def _divergence(how: Any, decided: Decided, differences: Sequence[Difference] = ()) -> Divergence:
    message = decided.message
    return Divergence(
        how=how,
        what=_told(message),
        task=message.task if isinstance(message, RunTask | CancelTask | TaskStateChanged) else None,
        attempt=getattr(message, "attempt", None),
        at=utc(decided.at),
        differences=list(differences),
    )


def _told(message: Message) -> str:
    """`TaskStateChanged error ack_timeout`, `RunTask`, `InvocationRejected run_completed`."""
    words = [
        type(message).__name__,
        getattr(message, "state", None),
        getattr(message, "reason", None),
    ]
    if isinstance(message, InvocationRejected):
        words += [problem.code for problem in message.problems]
    return " ".join(filter(None, words))


def _of_ends(recording: Recording, run: Run, facts: Mapping[int, TaskRun]) -> Iterator[Divergence]:
    for index, task in enumerate(recording.snapshot.plan.tasks):
        differences = list(
            _differences(_standing(recording.facts.get(index)), _standing(facts.get(index)))
        )
        if differences and not task.is_join:
            yield Divergence(
                how="end", what="how the task stands", task=task.name, differences=differences
            )
    if run.status != recording.run.status:
        yield Divergence(
            how="end",
            what="how the run stands",
            differences=[Difference(what="status", before=recording.run.status, after=run.status)],
        )


def _standing(fact: TaskRun | None) -> dict[str, Any]:
    if fact is None:
        return {}
    return {
        "attempt": fact.attempt,
        "state": wire_task_state(fact),
        "reason": fact.reason,
        "output": fact.output,
    }


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield Difference(what=name, before=before.get(name), after=after.get(name))
