"""Fact queries: structure and facts of runs, read from the store.

Invariant: reads only.
"""

from dataclasses import replace

from cerebro.core.fact_readings import fact_reading
from cerebro.core.fact_views import run_facts, run_structure, task_facts
from cerebro.handlers.queries import facts_of, read_run
from cerebro.ports import Store
from cordyna_core.contract.views.facts import RunFacts, RunStructure, TaskRunFacts
from cordyna_core.errors import NotFound


def structure(store: Store, run_id: str) -> RunStructure:
    """Return what never changes about a run. Raises NotFound."""
    _, snapshot = read_run(store, run_id)
    return run_structure(snapshot.plan)


def facts(store: Store, run_id: str, *, cursor: str) -> RunFacts:
    """Return all facts of a run. Raises NotFound."""
    run, snapshot = read_run(store, run_id)
    return run_facts(fact_reading(run, snapshot, facts_of(store, snapshot)), cursor=cursor)


def task_run(store: Store, run_id: str, task: str) -> TaskRunFacts:
    """Return one task run. Raises NotFound."""
    run, snapshot = read_run(store, run_id)
    index = snapshot.plan.index_of.get(task)
    if index is None:
        raise NotFound(
            f'run {run_id} has no task "{task}".',
            why=f"it was planned without it: {snapshot.plan.tasks[snapshot.plan.target].name} "
            "did not need it when the run began",
            next=f"`dyna show {run_id}` lists its tasks.",
        )
    facts = {
        at: fact
        for page in snapshot.plan.pages
        for at, fact in store.read_page(run_id, page).items()
    }
    own = facts.get(index)
    if own is not None and own.output_ref is not None:
        outputs = store.read_outputs(run_id, {index: own.output_ref})
        facts[index] = replace(own, output=outputs.get(index))
    return task_facts(fact_reading(run, snapshot, facts), index)
