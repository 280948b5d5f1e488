"""Engine checks: what must hold in a world of the embedded engine, whose servers answer in time.

Invariant: they read only what is stored; nothing here calls a program of the core.
"""

from collections.abc import Collection
from typing import Final

from cerebro.core import invariants
from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.task_run import TaskRun
from cerebro.embedded.storage.event_log import EventLog
from cerebro.ports import Store
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.flaky_store import CURSED_KEY
from cordyna_core.contract.envelope import open_envelope
from cordyna_core.contract.state_updates import InvocationRejected, RunStateChanged

BACK_OFF_SLACK_S: Final = 20.0
"""A home that fails is tried again after seconds, and a restart takes some."""

RUNS_MAX: Final = 1000
"""No world has more."""


def facts_of(store: Store, run_id: str) -> dict[int, TaskRun]:
    """Return all facts of a run."""
    snapshot = store.read_run_snapshot(run_id)
    pages = snapshot.plan.pages if snapshot is not None else ()
    return {index: fact for page in pages for index, fact in store.read_page(run_id, page).items()}


def check_back_off(planned: PlannedTask, attempt: int, waited_s: float) -> None:
    """Check how long a retry waited, in true time. Raises Unexpected."""
    least_s = float(planned.retry_delay_s)
    for _ in range(attempt - 2):
        least_s = min(float(planned.retry_max_delay_s), least_s * planned.retry_backoff)
    if waited_s > least_s * 1.25 + BACK_OFF_SLACK_S:
        raise Unexpected(f"{planned.name} was retried after {waited_s:.1f} s, too late")
    if waited_s < least_s - 0.01:
        raise Unexpected(f"{planned.name} was retried after {waited_s:.1f} s, too early")


def check_at_rest(store: Store, event_log: EventLog, awaited: Collection[str]) -> None:
    """Check a world in which nothing waits and nothing is due. `awaited`: the ids of its runs.

    Raises Unexpected.
    """
    for run in store.runs(RUNS_MAX):
        snapshot = store.read_run_snapshot(run.id)
        assert snapshot is not None
        facts = facts_of(store, run.id)
        broken = invariants.at_rest(snapshot, run, facts)
        if broken:
            raise Unexpected(broken)
        for index, fact in facts.items():
            if any((entry.reason or "").endswith("_timeout") for entry in fact.timeline):
                name = snapshot.plan.tasks[index].name
                raise Unexpected(f"{name} had a timeout, but its server answered in time")
    _check_answers(store, event_log, awaited)
    _check_dead_letters(event_log)


def _check_answers(store: Store, event_log: EventLog, awaited: Collection[str]) -> None:
    answered: set[str] = set()
    for event in event_log.events(None, 0):
        try:
            message = open_envelope(event.text).message
        except ValueError:
            continue
        if isinstance(message, RunStateChanged):
            answered.add(message.run_id)
        elif isinstance(message, InvocationRejected):
            answered.add(message.event_id)
    for run_id in awaited:
        if run_id not in answered and store.read_run(run_id) is not None:
            raise Unexpected(f"run {run_id} was created, and nothing was published of it")


def _check_dead_letters(event_log: EventLog) -> None:
    """Only what always fails becomes a dead letter, and what is not an event."""
    for text, reason in event_log.dead_letters():
        if "failed unexpectedly" in reason and CURSED_KEY not in text:
            raise Unexpected(f"a message became a dead letter: {reason}")
