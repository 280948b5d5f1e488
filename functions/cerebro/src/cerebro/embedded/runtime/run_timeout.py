"""Run timeout: the run clock of an attempt, as its plan has it. RunTask does not carry it."""

from typing import Final

from cerebro.ports import Store
from cordyna_core.contract.commands import RunTask

DEFAULT_RUN_TIMEOUT_S: Final = 1800.0


def run_timeout_s(store: Store, command: RunTask) -> float:
    """Return how long the body of this attempt may run."""
    snapshot = store.read_run_snapshot(command.run_id)
    index = snapshot.plan.index_of.get(command.task) if snapshot is not None else None
    if snapshot is None or index is None:
        return DEFAULT_RUN_TIMEOUT_S
    return snapshot.plan.tasks[index].run_timeout_s
