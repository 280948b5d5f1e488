"""Sent command checks: what an input dispatched has been sent when the input has been handled."""

from dataclasses import replace

import pytest

from cerebro.adapters.memory import MemoryStore
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.new_facts import begin_attempt, wait_again
from cerebro.simulator.checks.rerun_promises import RerunPromises
from cerebro.simulator.checks.sent_commands import SentCommands
from cerebro.testing.examples import RUN

A = PlannedTask(name="a", server="s")
B = PlannedTask(name="b", server="s", upstream=(0,), awaits=(0,))
PLAN = Plan((A, B))
COMPLETED = replace(
    begin_attempt(A, None, cause="c", now=0.0), rank=Rank.COMPLETED, deadline=None, rev=2
)
WAITS = wait_again(COMPLETED, cause="rerun", now=9.0)


def unsent(upstream: TaskRun) -> str | None:
    """Check an input that put `b` and did not send it; `upstream` is the fact of `a`."""
    store = MemoryStore()
    store.write_plan(PLAN)
    run = Run(id=RUN, task="b", plan_id=PLAN.id, created_at=0.0, cause="c")
    store.write_run(run, None)
    put = begin_attempt(B, None, cause="c", now=8.0)
    store.write_task(RUN, 0, upstream, None)
    store.write_task(RUN, 1, put, None)
    commands = SentCommands(RerunPromises(store))
    commands.begun(RUN, 1, None, put, "input")
    return commands.handled("input", store, 10.0)


@pytest.mark.parametrize(
    ("upstream", "fault"),
    [(COMPLETED, "b: the command of attempt 1 was never sent"), (WAITS, None)],
    ids=["completed", "made to wait by a rerun"],
)
def test_unsent_command_is_a_fault_unless_it_waits(upstream: TaskRun, fault: str | None) -> None:
    assert unsent(upstream) == fault
