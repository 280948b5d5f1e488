"""Reference of runs: how a run may change, by which input.

Invariant: nothing here calls `cerebro.core.run`.
"""

from dataclasses import replace
from typing import Final

from cerebro.core.internal_messages import OverdueCheck, PageTimer
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.sizes import in_use
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.state_updates import TaskStateChanged

_COMMANDS_MAX: Final = 1000
_IMMUTABLE = (
    "id",
    "task",
    "plan_id",
    "created_at",
    "params",
    "key",
    "max_age_s",
    "labels",
    "scheduled_at",
    "traceparent",
    "source",
)


def check_run(seen: Run, new: Run, facts: dict[int, TaskRun], handled: HandledInput) -> None:
    """Compare a run that was written with what its input may do. Raises Unexpected."""
    for name in _IMMUTABLE:
        if getattr(seen, name) != getattr(new, name):
            raise Unexpected(f"{name} of the run changed")
    _check_commands(seen, new, handled)
    _check_reruns(seen, new, facts, handled)
    if seen.failing != new.failing:
        _check_failing(new, facts)
    if new == replace(seen, watched=new.watched, version=new.version):
        pass  # the mark of an incident, which has no part in what the run may do
    elif new.status == "cancelled":
        _check_cancelled(seen, new, handled)
    elif new.reruns != seen.reruns:
        pass  # nothing else changes in this step
    elif new.rev != seen.rev:
        _check_reopened(seen, new, handled)
    elif seen.status not in (new.status, "running"):
        _check_completed_late(seen, new, facts)


def _check_commands(seen: Run, new: Run, handled: HandledInput) -> None:
    message = handled.message
    command = message.message if isinstance(message, Envelope) else None
    added = new.commands[len(seen.commands) :]
    if new.commands[: len(seen.commands)] != seen.commands:
        raise Unexpected("the run forgot a command that was applied")
    if not added:
        return
    if not isinstance(command, CancelRun | RetryRun) or not isinstance(message, Envelope):
        raise Unexpected(f"{added} were applied by no command")
    # As the program read the run first: what others have applied since may be one too many.
    first = next((run for run in handled.runs_seen if run.id == seen.id), seen)
    is_full = len(first.commands) >= min(in_use().kept_commands, _COMMANDS_MAX)
    if is_full and isinstance(command, RetryRun):
        raise Unexpected(f"{added} were applied to a run that had {len(first.commands)} commands")
    if added != (command.command_id or message.id,) or added[0] in seen.commands:
        raise Unexpected(f"{added} were applied, but {command.command_id} was asked for")


def _check_reruns(seen: Run, new: Run, facts: dict[int, TaskRun], handled: HandledInput) -> None:
    """A rerun steps `reruns` first, and nothing else; only later it opens the run.

    It does so in a run that has ended; what it began before another opened the run, it finishes.
    """
    if new.reruns == seen.reruns:
        return
    if new.reruns != seen.reruns + 1 or not _is_rerun(handled):
        raise Unexpected(f"reruns stepped from {seen.reruns} to {new.reruns}")
    if (new.rev, new.status) != (seen.rev, seen.status):
        raise Unexpected(f"a rerun began in a run that is {seen.status}, with rev {new.rev}")
    has_begun = any(fact.cause == handled.cause for fact in facts.values())
    if seen.status == "running" and not has_begun:
        raise Unexpected("a rerun began in a run that had not ended")


def _is_rerun(handled: HandledInput) -> bool:
    message = handled.message
    command = message.message if isinstance(message, Envelope) else None
    return isinstance(command, RetryRun) and command.downstream


def _check_failing(new: Run, facts: dict[int, TaskRun]) -> None:
    if not new.failing:
        raise Unexpected("a failing run became one that is not")
    if new.is_over:
        raise Unexpected(f"a run that is {new.status} became failing")
    if not any(_ever_failed(fact) for fact in facts.values()):
        raise Unexpected("the run is failing, but nothing ever failed permanently")


def _ever_failed(fact: TaskRun) -> bool:
    return any(entry.state == "error" for entry in fact.timeline)


def _check_cancelled(seen: Run, new: Run, handled: HandledInput) -> None:
    message = handled.message
    if not isinstance(message, Envelope) or not isinstance(message.message, CancelRun):
        raise Unexpected("the run was cancelled by no CancelRun")
    if (message.message.command_id or message.id) not in new.commands:
        raise Unexpected("the run was cancelled, and its command is not known")
    if seen.status == "completed" or new.rev != seen.rev + 1:
        raise Unexpected(f"a run that is {seen.status} was cancelled with rev {new.rev}")


def _check_reopened(seen: Run, new: Run, handled: HandledInput) -> None:
    is_final = seen.status == "completed" and not _is_rerun(handled)
    if new.rev != seen.rev + 1 or new.status != "running" or is_final:
        raise Unexpected(f"rev stepped from {seen.rev} to {new.rev} in a run that is {new.status}")
    message = handled.message
    kinds = TaskStateChanged | RetryRun
    is_cause = isinstance(message, PageTimer | OverdueCheck) or (
        isinstance(message, Envelope) and isinstance(message.message, kinds)
    )
    if not is_cause:
        raise Unexpected("the run was reopened by an input that revives nothing")


def _check_completed_late(seen: Run, new: Run, facts: dict[int, TaskRun]) -> None:
    if (seen.status, new.status) != ("error", "completed"):
        raise Unexpected(f"the run was {seen.status}, and became {new.status}")
    if not any(fact.rank == Rank.COMPLETED for fact in facts.values()):
        raise Unexpected("the run completed, and none of its tasks did")
