"""Views: how a run or a plan looks from outside, derived from plan and facts.

Invariant: everything here is computed when it is asked for. That a task is blocked, by what, and
why it is not running are never stored, so what heals the cause heals them. Joins are cerebro's own
and are never shown.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from cerebro.core.messages import wire_run_state
from cerebro.core.model.plan import CachedResult, Plan, PlannedTask
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import STATE_OF, TaskRun, TimelineEntry
from cerebro.core.run.run_status import root_causes, run_liveness
from cordyna_core.contract.base import ErrorDescription, State
from cordyna_core.contract.reasons import reason_of
from cordyna_core.contract.state_updates import RunState
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.graph import PlannedTaskView, PlanView
from cordyna_core.contract.views.runs import MadeFrom, RunView, TaskView, TimelineEntryView

Word = tuple[State, str | None]
"""A state and its reason."""

CANCELLED: Final = "cancelled"

BLOCKERS_MAX: Final = 100
"""Root causes that a blocked task names.

A thousand failures above a thousand tasks would be a million names.
"""

NAMES_IN_SENTENCE_MAX: Final = 5

_CLOCKS: Final = {
    "ack_timeout": "ack_timeout_s",
    "start_timeout": "start_timeout_s",
    "run_timeout": "run_timeout_s",
}
"""The field of a task with the clock whose end a reason names."""

VERSIONS_MAX: Final = 100
"""Tasks whose versions are shown of what a reused result was made from, the nearest first."""


def viewed_run_state(run: Run, failed: Collection[int]) -> RunState:
    """Return the state of a run of which `failed` has failed permanently.

    What was healed or is tried again has not failed any more: the run is running, although its
    record says until its end that something failed (docs/rules.md, rule 5).
    """
    state = wire_run_state(run)
    return "running" if state == "failing" and not failed else state


def run_view(
    run: Run,
    snapshot: RunSnapshot,
    facts: Mapping[int, TaskRun],
    sources: Mapping[str, RunSnapshot] = MappingProxyType({}),
) -> RunView:
    """Return the view of a whole run, its tasks in topological order.

    `sources`: the runs that are still stored whose results it reuses.
    """
    plan = snapshot.plan
    liveness = run_liveness(plan, facts)
    blockers = blockers_of(plan, liveness.failed, liveness.blocked)
    levels = plan.levels
    tasks = [
        task_view(
            run, snapshot, index, facts, blockers.get(index, frozenset()), levels[index], sources
        )
        for index, task in enumerate(plan.tasks)
        if not task.is_join
    ]
    state = viewed_run_state(run, liveness.failed)
    return RunView(
        run_id=run.id,
        task=run.task,
        state=state,
        root_causes=root_causes(plan, facts, liveness.failed) if state != "completed" else [],
        tasks=tasks,
        created_at=utc(run.created_at),
        params=run.params,
        labels=run.labels,
        scheduled_at=None if run.scheduled_at is None else utc(run.scheduled_at),
        cancelled=run.status == CANCELLED,
        source=run.source,
    )


def task_view(
    run: Run,
    snapshot: RunSnapshot,
    index: int,
    facts: Mapping[int, TaskRun],
    blockers: frozenset[int],
    level: int,
    sources: Mapping[str, RunSnapshot] = MappingProxyType({}),
) -> TaskView:
    """Return the view of one task run; `blockers` are the failed tasks that it needs."""
    plan = snapshot.plan
    task, fact = plan.tasks[index], facts.get(index)
    upstream = [plan.tasks[upstream].name for upstream in task.upstream]
    blocked_by = [plan.tasks[blocker].name for blocker in sorted(blockers)]
    state, reason = word_of(run, fact, is_blocked=bool(blocked_by))
    # Without validation, which would be most of the work of a view of 5,000 tasks; and with every
    # field, because pydantic takes longer to find a default than to build the rest.
    return TaskView.model_construct(
        task=task.name,
        server=task.server,
        state=state,
        reason=reason,
        attempt=0 if fact is None else fact.attempt,
        params=snapshot.params_of(index),
        output=None if fact is None else fact.output,
        error=None if fact is None else fact.error,
        timeline=[] if fact is None else [entry_view(entry) for entry in fact.timeline],
        made_from=(
            None
            if task.reuses is None
            else _made_from(task.reuses, sources.get(task.reuses.run_id))
        ),
        upstream=upstream,
        owner=task.owner,
        level=level,
        deadline=None if fact is None or fact.deadline is None else utc(fact.deadline),
        blocked_by=blocked_by,
        why=_why(plan, index, (state, reason), facts, blocked_by),
        progress=None,
        message=None,
    )


def _why(
    plan: Plan, index: int, word: Word, facts: Mapping[int, TaskRun], blocked_by: list[str]
) -> str:
    """Return why a task run is in its state, as one sentence."""
    task, fact = plan.tasks[index], facts.get(index)
    waits_for = _list(_incomplete_upstreams(plan, index, facts)) if word[1] == "waiting" else ""
    error = _in_one_line(None if fact is None else fact.error)
    sentence = reason_of(*word).sentence.format(
        task=f"{task.name} on {task.server}",
        attempt=f"attempt {0 if fact is None else fact.attempt}",
        reason=word[1],
        error=error,
        waits_for=waits_for,
        blocked_by=_list(blocked_by),
        clock=_clock(task, word[1]),
    )
    ends_itself = error.endswith((".", "!", "?")) and sentence.endswith(f"{error}.")
    return sentence[:-1] if ends_itself else sentence


def _clock(task: PlannedTask, reason: str | None) -> str:
    """Return how long the clock runs whose end the reason names; nothing for another reason."""
    field = _CLOCKS.get(reason or "")
    if field is None:
        return ""
    seconds: int = getattr(task, field)
    for unit, unit_s in (("h", 3600), ("min", 60)):
        if seconds % unit_s == 0:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"


def word_of(run: Run, fact: TaskRun | None, *, is_blocked: bool) -> Word:
    """Return the state of a task run, and the reason."""
    if fact is not None and not fact.is_waiting:
        return word_of_fact(fact)
    if run.status == CANCELLED:
        return "error", CANCELLED
    return "pending", "blocked" if is_blocked else "waiting"


def word_of_fact(fact: TaskRun) -> Word:
    """Return the state of a task run that was dispatched, and the reason."""
    return ("pending", "retry_wait") if fact.waits_for_retry else (STATE_OF[fact.rank], fact.reason)


def entry_view(entry: TimelineEntry) -> TimelineEntryView:
    """Return the view of one entry of a timeline."""
    return TimelineEntryView.model_construct(
        state=entry.state,
        reason=entry.reason,
        at=utc(entry.at),
        by=entry.by,
        attempt=entry.attempt,
    )


def reused_runs(plan: Plan) -> frozenset[str]:
    """Return the ids of the runs whose results a plan reuses."""
    return frozenset(task.reuses.run_id for task in plan.tasks if task.reuses is not None)


def _made_from(result: CachedResult, source: RunSnapshot | None) -> MadeFrom:
    """Return what a reused result was made from, if its run is still stored."""
    made_from = MadeFrom(run_id=result.run_id, at=utc(result.dispatched_at))
    if source is None:
        return made_from
    tasks = source.plan.tasks
    closure: dict[int, None] = {result.index: None}
    pending = [result.index]
    for index in pending:
        new = [upstream for upstream in tasks[index].upstream if upstream not in closure]
        closure.update(dict.fromkeys(new))
        pending += new
    params = {name: value for index in closure for name, value in source.params_of(index).items()}
    versions = {tasks[index].name: tasks[index].version for index in list(closure)[:VERSIONS_MAX]}
    return made_from.model_copy(update={"params": params, "versions": versions})


def _in_one_line(error: ErrorDescription | None) -> str:
    """Return what an error is, as the end of a sentence."""
    if error is None:
        return ""
    first_line = (error.message.splitlines() or [""])[0]
    return f": {error.type}: {first_line}".removesuffix(": ")


def _incomplete_upstreams(plan: Plan, index: int, facts: Mapping[int, TaskRun]) -> list[str]:
    names = [
        plan.tasks[upstream].name
        for upstream in plan.tasks[index].upstream
        if not ((fact := facts.get(upstream)) and fact.is_completed)
    ]
    return names or ["its turn"]


def _list(names: list[str]) -> str:
    shown, left_out = names[:NAMES_IN_SENTENCE_MAX], len(names) - NAMES_IN_SENTENCE_MAX
    parts = [*shown, f"{left_out} more"] if left_out > 0 else shown
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def blockers_of(
    plan: Plan, failed: tuple[int, ...], blocked: frozenset[int]
) -> dict[int, frozenset[int]]:
    """Return, for each blocked task, the failed tasks that it needs, directly or indirectly."""
    blockers: dict[int, frozenset[int]] = {index: frozenset((index,)) for index in failed}
    for index in sorted(blocked):
        causes = frozenset[int]().union(
            *(blockers.get(upstream, frozenset()) for upstream in plan.tasks[index].awaits)
        )
        if len(causes) > BLOCKERS_MAX:
            causes = frozenset(sorted(causes)[:BLOCKERS_MAX])
        blockers[index] = causes
    return {index: causes for index, causes in blockers.items() if index in blocked}


def plan_view(plan: Plan) -> PlanView:
    """Return the view of a plan: the upstream of a task is what it declared."""
    tasks = [
        PlannedTaskView(
            task=planned.name,
            server=planned.server,
            upstream=[plan.tasks[upstream].name for upstream in planned.upstream],
            level=level,
        )
        for planned, level in zip(plan.tasks, plan.levels, strict=True)
        if not planned.is_join
    ]
    return PlanView(task=plan.tasks[plan.target].name, tasks=tasks)
