"""Divergence: how two histories of one run differ: in messages, their times, and final states.

Invariant: two messages are the same if they have the same id, which is derived from their content.
Values that follow from the time alone (a command's deadlines) are not compared, and times only
within the tolerance of the timers.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cerebro.core.messages import wire_task_state
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import TaskRun
from cerebro.embedded.replay.recording import Decided, Recording
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.state_updates import InvocationRejected, TaskStateChanged
from cordyna_core.contract.time import rfc3339, utc
from cordyna_core.contract.views.rehearsal import Difference
from cordyna_core.contract.views.replay import Divergence

_NOT_COMPARED: Final = {"meta", "ack_by", "start_by"}


def divergences(
    recording: Recording,
    decided: Sequence[Decided],
    run: Run,
    facts: Mapping[int, TaskRun],
    *,
    tolerance_s: float,
) -> list[Divergence]:
    """List the differences between the recorded and the replayed run, by time; final states last.

    The final state of a task is listed only if no message about that task differs.
    """
    replayed = {decision.id: decision for decision in decided}
    recorded = {decision.id: decision for decision in recording.decided}
    differing = [
        divergence
        for old in recorded.values()
        if (divergence := _of_decision(old, replayed.get(old.id), tolerance_s)) is not None
    ]
    differing += [_divergence("new", new) for new in decided if new.id not in recorded]
    # A stable sort: the recorded order decides where times are equal.
    differing.sort(key=lambda divergence: divergence.at or utc(0))
    listed = {divergence.task for divergence in differing if divergence.task is not None}
    final_states = _of_final_states(recording, run, facts)
    return [*differing, *(state for state in final_states if state.task not in listed)]


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
        what=_summary(message),
        task=message.task if isinstance(message, RunTask | CancelTask | TaskStateChanged) else None,
        attempt=getattr(message, "attempt", None),
        at=utc(decided.at),
        differences=list(differences),
    )


def _summary(message: Message) -> str:
    """Such as `TaskStateChanged error ack_timeout` or `InvocationRejected run_completed`."""
    words = [
        type(message).__name__,
        getattr(message, "state", None),
        getattr(message, "reason", None),
    ]
    if isinstance(message, InvocationRejected):
        words += [problem.code for problem in message.problems]
    return " ".join(filter(None, words))


def _of_final_states(
    recording: Recording, run: Run, facts: Mapping[int, TaskRun]
) -> Iterator[Divergence]:
    for index, task in enumerate(recording.snapshot.plan.tasks):
        differences = list(
            _differences(_final_state(recording.facts.get(index)), _final_state(facts.get(index)))
        )
        if differences and not task.is_join:
            yield Divergence(
                how="end", what="final state of the task", task=task.name, differences=differences
            )
    if run.status != recording.run.status:
        yield Divergence(
            how="end",
            what="final state of the run",
            differences=[Difference(what="status", before=recording.run.status, after=run.status)],
        )


def _final_state(fact: TaskRun | None) -> dict[str, Any]:
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
