"""View updates: the view of a run after some of its facts changed, made from the view before.

Invariant: an updated view equals the view of the whole run (`views.run_view`). Made again are only
the views of what changed, of what waits for it, and of what has other failures above it; every
other task view is the same object as before.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cerebro.core.model.plan import Plan
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.core.run.run_status import root_causes, run_liveness
from cerebro.core.views import CANCELLED, blockers_of, run_view, task_view, viewed_run_state
from cordyna_core.contract.views.runs import RunView, TaskView

_Blockers = Mapping[int, frozenset[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewedRun:
    """A run as it was read, and its view. `failed`: the indexes that failed permanently."""

    run: Run
    snapshot: RunSnapshot
    facts: Mapping[int, TaskRun]
    failed: frozenset[int]
    blockers: _Blockers
    view: RunView


def viewed_run(run: Run, snapshot: RunSnapshot, facts: Mapping[int, TaskRun]) -> ViewedRun:
    """Make the view of the whole run."""
    failed = frozenset(_failed(facts, facts))
    return ViewedRun(
        run=run,
        snapshot=snapshot,
        facts=facts,
        failed=failed,
        blockers=_blockers(snapshot.plan, facts, failed),
        view=run_view(run, snapshot, facts),
    )


def updated_run(last: ViewedRun, run: Run, changed: Mapping[int, TaskRun]) -> ViewedRun:
    """Make the view after `changed`, the facts that may differ from those of `last`."""
    new = {index: fact for index, fact in changed.items() if fact != last.facts.get(index)}
    facts = {**last.facts, **new}
    if (run.status == CANCELLED) != (last.run.status == CANCELLED):
        return viewed_run(run, last.snapshot, facts)
    plan = last.snapshot.plan
    failed = (last.failed - new.keys()) | frozenset(_failed(facts, new))
    blockers = _blockers(plan, facts, failed)
    outdated = {*new, *_differing(last.blockers, blockers)}
    outdated |= {user for index in new for user in plan.users[index]}
    state = viewed_run_state(run, failed)
    view = last.view.model_copy(
        update={
            "state": state,
            "root_causes": (
                root_causes(plan, facts, sorted(failed)) if state != "completed" else []
            ),
            "tasks": _updated_tasks(last, run, facts, blockers, outdated),
        }
    )
    return ViewedRun(
        run=run,
        snapshot=last.snapshot,
        facts=facts,
        failed=failed,
        blockers=blockers,
        view=view,
    )


def _updated_tasks(
    last: ViewedRun,
    run: Run,
    facts: Mapping[int, TaskRun],
    blockers: _Blockers,
    outdated: Collection[int],
) -> list[TaskView]:
    plan, position = last.snapshot.plan, last.snapshot.plan.position_of
    tasks: list[TaskView] = list(last.view.tasks)
    for index in outdated:
        if not plan.tasks[index].is_join:
            tasks[position[index]] = task_view(
                run,
                last.snapshot,
                index,
                facts,
                blockers.get(index, frozenset()),
                plan.levels[index],
            )
    return tasks


def _failed(facts: Mapping[int, TaskRun], indexes: Iterable[int]) -> Iterable[int]:
    return (index for index in indexes if facts[index].failed_permanently)


def _blockers(plan: Plan, facts: Mapping[int, TaskRun], failed: Collection[int]) -> _Blockers:
    # Without a failure nothing is blocked: reading all facts again would find nothing.
    if not failed:
        return {}
    liveness = run_liveness(plan, facts)
    return blockers_of(plan, liveness.failed, liveness.blocked)


def _differing(before: _Blockers, after: _Blockers) -> Iterable[int]:
    return (
        index for index in before.keys() | after.keys() if before.get(index) != after.get(index)
    )
