"""Refusals: the problems with which a command to an existing run, or a repeated key, is refused.

Invariant: the text and code of each refusal are written once. Cerebro answers with them, and
a client that cannot read the answer (a bus without a log) derives the same ones from the run.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cordyna_core.contract.base import Problem
from cordyna_core.contract.limits import SNOOZE_MAX_S
from cordyna_core.contract.time import rfc3339

NAMES_MAX: Final = 10
"""Tasks that one refusal names."""


def unknown_run(run_id: str) -> Problem:
    """CancelRun or RetryRun of a run that is not stored."""
    return Problem(code="unknown_run", message=f"run {run_id} is not known: `dyna runs` lists them")


def not_your_run(caller: str, owner: str) -> Problem:
    """CancelRun or RetryRun by a server that does not own the run's target."""
    text = f"server {caller!r} may not command a run of a task of {owner!r}"
    return Problem(code="not_your_task", message=text)


def run_completed() -> Problem:
    """CancelRun of a completed run."""
    text = "the run has completed: there is nothing left to cancel"
    return Problem(code="run_completed", message=text)


def run_cancelled(task: str) -> Problem:
    """RetryRun of a cancelled run."""
    text = f"the run was cancelled, and that is final: invoke {task!r} again"
    return Problem(code="run_cancelled", message=text)


def nothing_failed() -> Problem:
    """RetryRun of a run, or of tasks, without a permanent failure."""
    text = "there is nothing to retry: no task asked for has failed permanently"
    return Problem(code="nothing_failed", message=text)


def rerun_under_way(names: Sequence[str]) -> Problem:
    """RetryRun of tasks that a rerun runs again, so that none of them has failed for good."""
    shown = ", ".join(map(repr, names[:NAMES_MAX])) + (", ..." if len(names) > NAMES_MAX else "")
    text = f"there is nothing to retry now: a rerun (`dyna retry --downstream`) runs {shown} again"
    return Problem(
        code="rerun_under_way",
        message=f"{text}: wait until the run ends, then retry what has failed",
        path=list(names[:NAMES_MAX]),
    )


def tasks_not_in_run(names: Sequence[str]) -> Problem:
    """RetryRun from tasks that are not in the plan of the run."""
    text = f"the run has no task {', '.join(map(repr, names))}"
    return Problem(code="unknown_task", message=text)


def task_moved(task: str, owner: str, target: str) -> Problem:
    """RetryRun of a task that another server owns now."""
    text = f"{task} is {owner}'s now, and this run is planned with its former server"
    return Problem(code="task_moved", message=f"{text}: invoke {target!r} again", path=[task])


def key_reused(key: str, earlier_use: str) -> Problem:
    """InvokeTask with the key of another task, or with other params."""
    text = f"key {key!r} was used before, with {earlier_use}"
    return Problem(code="key_reused", message=f"{text}: use another key, or ask for the same again")


def unknown_incident(incident: str) -> Problem:
    """SnoozeIncident of an incident that is not stored."""
    text = f"incident {incident} is not known: `dyna incidents` lists the open ones"
    return Problem(code="unknown_incident", message=text)


def incident_closed(incident: str) -> Problem:
    """SnoozeIncident of a closed incident."""
    text = f"incident {incident} is closed: there is nothing to snooze"
    return Problem(code="incident_closed", message=text)


def snooze_problem(until: datetime, now: datetime) -> Problem | None:
    """SnoozeIncident until a time that has passed, or is too far ahead; None: it is possible."""
    if until <= now:
        text = f"{rfc3339(until)} has passed: give a later time"
        return Problem(code="until_has_passed", message=text)
    if until > now + timedelta(seconds=SNOOZE_MAX_S):
        text = f"{rfc3339(until)} is more than 30 days ahead: give an earlier time"
        return Problem(code="until_too_late", message=text)
    return None
