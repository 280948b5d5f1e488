"""Runs: lists of runs, one run, its facts, one task run, and commands about them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import ValidationError

from cordyna_cli.engine import Refused
from cordyna_cli.moments import moment_of
from cordyna_console.answers.reasons import printable_error, run_reason, task_reason
from cordyna_console.answers.refusals import refusal
from cordyna_console.console import Console
from cordyna_console.live import RunReading
from cordyna_console.models import (
    CommandRequest,
    FactsAnswer,
    InvokeAnswer,
    InvokeRequest,
    RetryRequest,
    RunHead,
    RunList,
    RunRow,
    TaskRunAnswer,
    TimelineRow,
    WhyAnswer,
)
from cordyna_console.run_columns import FactRows
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.envelope import problems_of
from cordyna_core.contract.views.facts import RunFacts
from cordyna_core.contract.views.runs import RunCriteria, RunSummary

LOOKED_AT: Final = (100, 2_000)
"""Runs that one question looks at: first a few, then more where the filter asks for it."""

RunListState = Literal["running", "failing", "completed", "error", "cancelled"]

_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs are wanted. `before`: the id of the last run of the page before.

    `since`, `until`: a span back from now, or a date, as `moment_of` reads it.
    """

    task: str | None = None
    state: RunListState | None = None
    since: str | None = None
    until: str | None = None
    label: str | None = None
    q: str | None = None
    before: str | None = None
    limit: int = 50


def list_runs(console: Console, wanted: RunFilter) -> RunList:
    """Return the newest runs that match. Raises NotFound for an unknown cursor."""
    criteria = _criteria(console, wanted)
    for looked_at in LOOKED_AT:
        summaries = console.engine.runs(looked_at, criteria)
        is_end = len(summaries) < looked_at
        found = _page(console, wanted, summaries, is_end=is_end)
        if len(found.rows) == wanted.limit or is_end:
            break
    return found


def _criteria(console: Console, wanted: RunFilter) -> RunCriteria:
    """Return what the engine itself selects. Raises NotFound for an unknown cursor."""
    now = console.now()
    since = None if wanted.since is None else moment_of(wanted.since, now)
    until = None if wanted.until is None else moment_of(wanted.until, now)
    if wanted.before is not None:
        # By its time and not by its place: a run that changed may match no longer.
        created_at = console.engine.facts(wanted.before).excerpt.created_at
        behind = (created_at or now) + _INSTANT
        until = behind if until is None else min(until, behind)
    return RunCriteria(task=wanted.task, state=wanted.state, since=since, until=until)


def _page(
    console: Console, wanted: RunFilter, summaries: list[RunSummary], *, is_end: bool
) -> RunList:
    """Return a page of the matching runs.

    `is_end`: no run is older than the last of `summaries`.
    """
    ids = [summary.run_id for summary in summaries]
    start = ids.index(wanted.before) + 1 if wanted.before in ids else 0
    rows: list[RunRow] = []
    last: RunSummary | None = None
    for last in summaries[start:]:
        rows += _matching(console, last, wanted)
        if len(rows) == wanted.limit:
            break
    is_last = last is None or (is_end and last.run_id == ids[-1])
    return RunList(
        rows=rows,
        next=None if last is None or is_last else last.run_id,
        looked_back_to=None if last is None else last.created_at,
    )


def _matching(console: Console, run: RunSummary, wanted: RunFilter) -> Iterator[RunRow]:
    row = console.row(run)
    if wanted.label is not None and wanted.label not in labels_of(row):
        return
    text = (wanted.q or "").casefold()
    if any(text in part.casefold() for part in (row.run_id, row.task, *labels_of(row))):
        yield row


def labels_of(row: RunRow) -> list[str]:
    """Return labels as `name=value`."""
    return [f"{name}={value}" for name, value in row.labels.items()]


def head(console: Console, facts: RunFacts, why: WhyAnswer) -> RunHead:
    """Return one run without its tasks."""
    return RunHead(
        **dict(console.row_of(facts)),
        plan_id=facts.plan_id,
        size=facts.size,
        why=why,
        root_causes=facts.excerpt.root_causes,
        blocked=facts.counts.get("blocked", 0),
    )


def facts_answer(facts: RunFacts, why: WhyAnswer, now: datetime) -> FactsAnswer:
    """Return the facts of a run, with the reason of the same moment."""
    run = facts.excerpt
    return FactsAnswer(
        cursor=facts.cursor,
        run_id=run.run_id,
        state=run.state,
        cancelled=run.cancelled,
        created_at=run.created_at,
        ended_at=facts.ended_at,
        now=now,
        why=why,
        words=facts.words,
        columns=FactRows.of(facts.columns),
    )


def reading(console: Console, facts: RunFacts) -> RunReading:
    """Return a run as its followers and its head show it."""
    now = console.now()
    why = run_reason(console, facts.excerpt, now)
    return RunReading(head(console, facts, why), facts_answer(facts, why, now))


def task_run(console: Console, run_id: str, name: str) -> TaskRunAnswer:
    """Return one task run. Raises NotFound."""
    facts = console.engine.task_run(run_id, name)
    task = facts.excerpt.tasks[0]
    timeline = sorted(task.timeline, key=lambda entry: entry.at)
    return TaskRunAnswer(
        run_id=run_id,
        task=task.task,
        server=task.server,
        owner=task.owner,
        state=task.state,
        reason=task.reason,
        attempt=task.attempt,
        params=task.params,
        output=task.output,
        error=printable_error(task.error),
        timeline=[TimelineRow(**dict(entry)) for entry in timeline],
        upstream=task.upstream,
        downstream=facts.downstream,
        blocked_by=task.blocked_by,
        deadline=task.deadline,
        why=task_reason(console, facts.excerpt, task, console.now()),
    )


def invoke(console: Console, request: InvokeRequest) -> InvokeAnswer:
    """Start a run, or find the one with that key. Raises Refusal with every problem."""
    what = f'task "{request.task}" cannot be invoked.'
    fields = request.model_dump() | {"labels": {"via": "console", **request.labels}}
    try:
        command = InvokeTask.model_validate(fields)
    except ValidationError as invalid:
        # The contract has bounds (of depth, of sizes) that a schema cannot say.
        problems = problems_of(invalid, "malformed_detail")
        raise refusal(what, problems, "change what is listed") from invalid
    with console.trying("invoke"):
        answer = console.engine.invoke(command, detached=True, wait_s=console.wait_s)
    if isinstance(answer, Refused):
        raise refusal(what, answer.problems, f"dyna plan {request.task}")
    return InvokeAnswer(run_id=answer.run_id)


def cancel(console: Console, run_id: str, request: CommandRequest) -> None:
    """End a run now. Raises NotFound, or Refusal with every problem."""
    with console.trying("invoke"):
        answer = console.engine.command(
            CancelRun(run_id=run_id, command_id=request.command_id), wait_s=console.wait_s
        )
    if answer is not None:
        what = f"run {run_id} cannot be cancelled."
        raise refusal(what, answer.problems, f"dyna show {run_id}")


def retry(console: Console, run_id: str, request: RetryRequest) -> None:
    """Give what failed a new attempt. Raises NotFound, or Refusal with every problem."""
    command = RetryRun(run_id=run_id, command_id=request.command_id, from_=request.from_)
    with console.trying("invoke"):
        answer = console.engine.command(command, wait_s=console.wait_s)
    if answer is not None:
        raise refusal(f"run {run_id} cannot be retried.", answer.problems, f"dyna why {run_id}")


def tag_of(text: str) -> str:
    """Return a short name of a text: the same text has the same."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
