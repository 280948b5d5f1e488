"""Fact views: structure and facts of a run as columns, and the few tasks that explain its state.

Invariant: the excerpt of a run gives the same reason as the view of the whole run. It holds the
target and the waiting tasks from there upstream to the first that does not only wait, what is live,
the first root cause, and the names of what is blocked.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Final

from cerebro.core.fact_readings import FactReading
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import STATE_OF, TaskRun, TimelineEntry
from cerebro.core.run.run_status import root_causes
from cerebro.core.views import (
    BLOCKERS_MAX,
    CANCELLED,
    Word,
    entry_view,
    task_view,
    viewed_run_state,
    word_of_fact,
)
from cordyna_core.contract.reasons import reason_of
from cordyna_core.contract.state_updates import RunState
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.facts import FactColumns, RunFacts, RunStructure, TaskRunFacts
from cordyna_core.contract.views.run_end import ending_lines
from cordyna_core.contract.views.runs import RunView, TaskView, TimelineEntryView

Facts = Mapping[int, TaskRun]

_NO_ATTEMPTS: Final[list[list[int | None]]] = []
"""Shared by all tasks without earlier attempts: nearly all of ten thousand have none."""


def run_structure(plan: Plan) -> RunStructure:
    """Return what never changes about the runs of a plan."""
    shown = shown_indexes(plan)
    position = {index: at for at, index in enumerate(shown)}
    tasks = [plan.tasks[index] for index in shown]
    servers = sorted({task.server for task in tasks})
    owners = sorted({task.owner for task in tasks if task.owner is not None})
    server_at = {server: at for at, server in enumerate(servers)}
    owner_at = {owner: at for at, owner in enumerate(owners)}
    return RunStructure(
        plan_id=plan.id,
        target=plan.tasks[plan.target].name,
        servers=servers,
        owners=owners,
        task=[task.name for task in tasks],
        server=[server_at[task.server] for task in tasks],
        owner=[-1 if task.owner is None else owner_at[task.owner] for task in tasks],
        level=[plan.levels[index] for index in shown],
        upstream=[[position[up] for up in task.upstream] for task in tasks],
    )


def shown_indexes(plan: Plan) -> list[int]:
    """Return the indexes of the tasks of a plan, joins left out."""
    return list(plan.position_of)


def run_facts(
    reading: FactReading, *, cursor: str, changed: Collection[int] | None = None
) -> RunFacts:
    """Return the facts of a run; with `changed`, the columns hold only those indexes."""
    run, facts, plan = reading.run, reading.facts, reading.snapshot.plan
    position_of = plan.position_of
    words: list[Word] = []
    columns = FactColumns()
    for index in sorted(facts if changed is None else changed):
        position, fact = position_of.get(index), facts.get(index)
        if position is not None and fact is not None:
            _append(columns, position, fact, words, run.created_at)
    return RunFacts(
        cursor=cursor,
        plan_id=plan.id,
        size=len(position_of),
        key=run.key,
        ended_at=_ended_at(run, facts),
        counts=_counts(reading.words),
        words=list(words),
        columns=columns,
        excerpt=_run_excerpt(reading),
    )


def _run_excerpt(reading: FactReading) -> RunView:
    """Return the run with the tasks that explain its state."""
    run, facts, plan = reading.run, reading.facts, reading.snapshot.plan
    state = viewed_run_state(run, reading.failed)
    causes = root_causes(plan, facts, sorted(reading.failed)) if state != "completed" else []
    detailed = {plan.target, *_held_up(reading, plan.target)}
    # What the cancellation itself ended explains nothing.
    failed = [cause for cause in causes if run.status != CANCELLED or cause.reason != CANCELLED]
    detailed |= {plan.index_of[cause.task] for cause in failed[:1] if cause.task in plan.index_of}
    tasks: list[TaskView] = []
    for index in sorted(detailed | reading.at_work | reading.blocked):
        if plan.tasks[index].is_join:
            continue
        if index in detailed:
            tasks.append(_detailed(reading, index))
        elif index in reading.at_work:
            tasks.append(_at_work_view(plan, index, facts[index]))
        elif run.status != CANCELLED:
            tasks.append(_brief(plan.tasks[index], ("pending", "blocked")))
    return _view(run, state, tasks).model_copy(update={"root_causes": causes})


def _at_work_view(plan: Plan, index: int, fact: TaskRun) -> TaskView:
    """Return where a task is at work, and since when: hundreds may be."""
    last = max(fact.timeline, key=_at)
    word = (STATE_OF[fact.rank], None)
    return _brief(plan.tasks[index], word, fact.attempt, [entry_view(last)])


def _brief(
    task: PlannedTask,
    word: Word,
    attempt: int = 0,
    timeline: Sequence[TimelineEntryView] = (),
) -> TaskView:
    # Every field is given: pydantic takes longer to find a default than to build the rest.
    state, reason = word
    return TaskView.model_construct(
        task=task.name,
        server=task.server,
        state=state,
        reason=reason,
        attempt=attempt,
        params={},
        output=None,
        error=None,
        timeline=list(timeline),
        made_from=None,
        upstream=[],
        owner=None,
        level=0,
        deadline=None,
        blocked_by=[],
        why="",
        progress=None,
        message=None,
    )


def task_facts(reading: FactReading, index: int) -> TaskRunFacts:
    """Return one task run, with the task that holds it up."""
    plan = reading.snapshot.plan
    task = _detailed(reading, index)
    beside = [plan.index_of[name] for name in task.blocked_by[:1]]
    if not beside:
        beside = [at for at in [_cause(reading, index)] if at is not None]
    others = [_detailed(reading, other) for other in beside]
    return TaskRunFacts(
        excerpt=_view(reading.run, viewed_run_state(reading.run, reading.failed), [task, *others]),
        downstream=[plan.tasks[user].name for user in plan.users[index]],
        params=task.params,
    )


def _view(run: Run, state: RunState, tasks: list[TaskView]) -> RunView:
    return RunView.model_construct(
        run_id=run.id,
        task=run.task,
        state=state,
        root_causes=[],
        tasks=tasks,
        created_at=utc(run.created_at),
        params=run.params,
        labels=run.labels,
        scheduled_at=None if run.scheduled_at is None else utc(run.scheduled_at),
        cancelled=run.status == CANCELLED,
        source=run.source,
    )


def _detailed(reading: FactReading, index: int) -> TaskView:
    plan, facts, blocked = reading.snapshot.plan, reading.facts, reading.blocked
    causes = _causes(plan, index, facts, blocked) if index in blocked else frozenset[int]()
    return task_view(reading.run, reading.snapshot, index, facts, causes, plan.levels[index])


def _causes(plan: Plan, index: int, facts: Facts, blocked: Collection[int]) -> frozenset[int]:
    """Return the failed tasks that a blocked one needs, also indirectly."""
    causes: set[int] = set()
    visited = {index}
    pending = [index]
    while pending:
        for upstream in plan.tasks[pending.pop()].awaits:
            if upstream in visited:
                continue
            visited.add(upstream)
            if (fact := facts.get(upstream)) is not None and fact.failed_permanently:
                causes.add(upstream)
            elif upstream in blocked:
                pending.append(upstream)
    return frozenset(sorted(causes)[:BLOCKERS_MAX])


def _held_up(reading: FactReading, index: int) -> Iterable[int]:
    """From a waiting task upstream, to the first that does not only wait; that one is the last."""
    held_up = index
    while reading.word_at(held_up) == ("pending", "waiting"):
        cause = _cause(reading, held_up)
        if cause is None:
            return
        yield cause
        held_up = cause
    cause = _cause(reading, held_up)
    if cause is not None:
        yield cause


def _cause(reading: FactReading, index: int) -> int | None:
    """Return the upstream that holds a task up: the one that needs attention first."""
    facts, blocked = reading.facts, reading.blocked
    unfinished: list[int] = []
    untouched: int | None = None
    for upstream in reading.snapshot.plan.tasks[index].upstream:
        fact = facts.get(upstream)
        if fact is None and upstream not in blocked:
            # One of thousands is enough: none of them is more urgent than the first.
            if untouched is None:
                untouched = upstream
                unfinished.append(upstream)
        elif fact is None or not fact.is_completed:
            unfinished.append(upstream)
    return min(unfinished, key=lambda upstream: _urgency(reading.word_at(upstream)), default=None)


@cache
def _urgency(word: Word) -> int:
    return reason_of(*word).mark.urgency


def _counts(words: Mapping[Word, int]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for word, count in words.items():
        counts[reason_of(*word).mark.word] += count
    return dict(counts)


def _ended_at(run: Run, facts: Facts) -> datetime | None:
    if not run.is_over:
        return None
    ends = [
        line.at for fact in facts.values() for line in ending_lines(sorted(fact.timeline, key=_at))
    ]
    return utc(max(ends)) if ends else None


def _append(
    columns: FactColumns, position: int, fact: TaskRun, words: list[Word], created_at: float
) -> None:
    entries = sorted(fact.timeline, key=_at)
    sent, queued, started, ended = _moments(entries, fact.attempt, created_at)
    columns.task.append(position)
    columns.word.append(_index_of(words, word_of_fact(fact)))
    columns.attempt.append(fact.attempt)
    columns.sent.append(sent)
    columns.queued.append(queued)
    columns.started.append(started)
    columns.ended.append(ended)
    deadline = fact.deadline
    columns.deadline.append(None if deadline is None else _ms(created_at, deadline) - (sent or 0))
    if fact.attempt <= 1:
        columns.before.append(_NO_ATTEMPTS)
        return
    before: list[list[int | None]] = []
    for attempt in sorted({entry.attempt for entry in entries if entry.attempt < fact.attempt}):
        word = _index_of(words, _word_of_earlier(entries, attempt))
        before.append([attempt, *_moments(entries, attempt, created_at), word])
    columns.before.append(before)


def _word_of_earlier(entries: Iterable[TimelineEntry], attempt: int) -> Word:
    """Return how an attempt before the current one ended: completed, if a rerun followed it."""
    ends = [
        entry
        for entry in entries
        if entry.attempt == attempt
        and entry.state in ("completed", "error")
        # What arrived after the attempt was given up did not end it.
        and entry.reason != "late"
    ]
    if any(entry.state == "completed" for entry in ends):
        return ("completed", None)
    return ("error", ends[-1].reason if ends else None)


_at = attrgetter("at")


def _index_of(words: list[Word], word: Word) -> int:
    if word not in words:
        words.append(word)
    return words.index(word)


def _moments(
    entries: Sequence[TimelineEntry], attempt: int, created_at: float
) -> tuple[int | None, int | None, int | None, int | None]:
    """(sent, queued, started, ended) of one attempt."""
    sent: int | None = None
    first: dict[str, int] = {}
    for entry in entries:
        if entry.attempt == attempt:
            at = round((entry.at - created_at) * 1000)
            sent = at if sent is None else sent
            first.setdefault(entry.state, at - sent)
    # A completion after an error by a clock is when the body ended.
    ended = first.get("completed", first.get("error"))
    return sent, first.get("queued"), first.get("started"), ended


def _ms(since: float, at: float) -> int:
    return round((at - since) * 1000)
