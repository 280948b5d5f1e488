"""Explain: how a run looks from outside, derived from its plan and its facts.

Law: everything here is computed when somebody asks. That a task is blocked, by what, and why it is not running are
never stored, so what heals the cause heals them.
"""

from collections.abc import Mapping
from typing import Any, Final

from cerebro.core.messages import wire_task_state
from cerebro.core.model import Plan, Run, RunSnapshot, TaskRun
from cerebro.core.run.invoke import wire_state
from cerebro.core.run.run_status import root_causes, run_liveness
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.runs import RunView, TaskView, TimelineEntryView

CANCELLED: Final = "cancelled"

MOST_NAMED: Final = 100
"""Root causes that a blocked task names: a thousand failures above a thousand tasks would be a million names."""


def run_view(run: Run, snapshot: RunSnapshot, facts: dict[int, TaskRun]) -> RunView:
    """The whole run, its tasks in topological order; joins are cerebro's own and not shown."""
    plan = snapshot.plan
    found = run_liveness(plan, facts)
    causes = _blockers(plan, found.failed, found.blocked)
    levels = plan.levels
    tasks = [
        task_view(run, snapshot, index, facts, causes.get(index, frozenset()), levels[index])
        for index, task in enumerate(plan.tasks)
        if not task.is_join
    ]
    state = wire_state(run)
    return RunView(
        run_id=run.id,
        task=run.task,
        state=state,
        root_causes=root_causes(plan, facts, found.failed) if state != "completed" else [],
        tasks=tasks,
        created_at=utc(run.created_at),
        params=run.params,
        labels=run.labels,
        scheduled_at=None if run.scheduled_at is None else utc(run.scheduled_at),
        cancelled=run.status == CANCELLED,
    )


def task_view(
    run: Run,
    snapshot: RunSnapshot,
    index: int,
    facts: dict[int, TaskRun],
    blockers: frozenset[int],
    level: int,
) -> TaskView:
    """One task run; `blockers` are the failed tasks that it (indirectly) needs."""
    plan = snapshot.plan
    task, fact = plan.tasks[index], facts.get(index)
    blocked_by = [plan.tasks[cause].name for cause in sorted(blockers)]
    view: dict[str, Any] = {
        "task": task.name,
        "server": task.server,
        "params": snapshot.params_of(index),
        "upstream": [plan.tasks[upstream].name for upstream in task.upstream],
        "owner": task.owner,
        "level": level,
        "blocked_by": blocked_by,
    }
    if fact is not None:
        view.update(
            state=wire_task_state(fact),
            reason="retry_wait" if fact.waits_for_retry else fact.reason,
            attempt=fact.attempt,
            output=fact.output,
            error=fact.error,
            deadline=None if fact.deadline is None else utc(fact.deadline),
            # Ours already: checking them again would be most of the work of a view of 5,000 tasks.
            timeline=[
                TimelineEntryView.model_construct(
                    state=s.state, reason=s.reason, at=utc(s.at), by=s.by, attempt=s.attempt
                )
                for s in fact.timeline
            ],
        )
    elif run.status == CANCELLED:
        view.update(state="error", reason=CANCELLED)
    else:
        view.update(state="pending", reason="blocked" if blocked_by else "waiting")
    shown_task = TaskView.model_construct(**view)
    return shown_task.model_copy(update={"why": why(plan, index, shown_task, facts)})


_SENTENCES: Final = {
    "waiting": "{task} waits for {waits_for}.",
    "blocked": "{task} is blocked: it needs {blocked_by}, which failed.",
    "dispatched": "{task} was sent its command ({attempt}) and has not answered yet.",
    "retry_wait": "{task} failed ({attempt}) and is tried again after a pause{told}.",
    "failed": "{task} failed ({attempt}){told}.",
    "failed_terminal": "{task} failed ({attempt}) in a way that trying again does not mend{told}.",
    "ack_timeout": "{task} did not acknowledge the command ({attempt}) in time: its server is down, or does not hear it.",
    "start_timeout": "{task} was queued ({attempt}) but not started in time: its server is too busy.",
    "run_timeout": "{task} was started ({attempt}) but did not finish in time.",
    "cancelled": "{task} was cancelled with its run.",
    "refused": "{task} was refused by its server ({attempt}){told}.",
    "reused": "{task} was not run: a result that is fresh enough was reused.",
    "queued": "{task} has been taken by its server ({attempt}), which is busy with other tasks.",
    "started": "{task} is running ({attempt}).",
    "completed": "{task} completed ({attempt}).",
    "error": "{task} failed ({attempt}), and its server says: {reason}{told}.",
}
"""By reason, or by state where there is none."""


def why(plan: Plan, index: int, view: TaskView, facts: Mapping[int, TaskRun]) -> str:
    """The one reason why this task is where it is, as a sentence."""
    error = view.error
    told = f": {error.type}: {(error.message.splitlines() or [''])[0]}" if error else ""
    waiting = view.reason == "waiting"
    sentence = _SENTENCES.get(
        view.reason or view.state,
        _SENTENCES[view.state] if view.state != "pending" else _SENTENCES["waiting"],
    )
    return sentence.format(
        task=f"{view.task} on {view.server}",
        attempt=f"attempt {view.attempt}",
        reason=view.reason,
        told=told.removesuffix(": "),
        waits_for=_list(_unfinished(plan, index, facts)) if waiting else "",
        blocked_by=_list(view.blocked_by),
    )


def _unfinished(plan: Plan, index: int, facts: Mapping[int, TaskRun]) -> list[str]:
    waits = [
        plan.tasks[up].name
        for up in plan.tasks[index].upstream
        if not ((fact := facts.get(up)) and fact.is_completed)
    ]
    return waits or ["its turn"]


def _list(names: list[str], most: int = 5) -> str:
    shown_names = names[:most] + ([f"{len(names) - most} more"] if len(names) > most else [])
    return " and ".join(filter(None, (", ".join(shown_names[:-1]), *shown_names[-1:])))


def _blockers(
    plan: Plan, failed: tuple[int, ...], blocked: frozenset[int]
) -> dict[int, frozenset[int]]:
    """For each blocked task, the failed tasks that it (indirectly) needs."""
    found: dict[int, frozenset[int]] = {index: frozenset((index,)) for index in failed}
    for index in sorted(blocked):
        causes = frozenset[int]().union(
            *(found.get(upstream, frozenset()) for upstream in plan.tasks[index].awaits)
        )
        found[index] = (
            frozenset(sorted(causes)[:MOST_NAMED]) if len(causes) > MOST_NAMED else causes
        )
    return {index: causes for index, causes in found.items() if index in blocked}
