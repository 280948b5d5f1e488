"""Care: crons, dead letters, what the doctor finds, and what a run costs on AWS."""

from collections import defaultdict
from typing import Final

from cordyna_cli.operations import QueuedDeadLetter
from cordyna_cli.wording.event_line import UNREADABLE, event_line
from cordyna_console.answers.catalog import paused_crons
from cordyna_console.answers.cron_words import in_words
from cordyna_console.answers.passed import TEXT_CHARACTERS_MAX
from cordyna_console.care_models import (
    CronList,
    CronRow,
    CronTick,
    DoctorAnswer,
    FindingRow,
    LetterRow,
    Moved,
    PurgeRequest,
    QueueAnswer,
    QueueList,
    RedriveRequest,
)
from cordyna_console.console import Console
from cordyna_console.models import CostAnswer, CostLine
from cordyna_core.errors import UserError

TICKS_MAX: Final = 30
RUNS_MAX: Final = 1_000

EVENTS_PER_TASK: Final = 3
WRITES_PER_TASK: Final = 3
READS_PER_EDGE: Final = 3
INVOCATIONS_PER_TASK: Final = 2
QUEUE_REQUESTS_PER_INVOCATION: Final = 3
"""A message is sent, received and deleted."""

PRICES: Final = (
    ("events on the bus", "tasks", EVENTS_PER_TASK, 1.00),
    ("writes of the table", "tasks", WRITES_PER_TASK, 0.625),
    ("strong reads of the table", "edges", READS_PER_EDGE, 0.125),
    (
        "requests of queues",
        "tasks",
        QUEUE_REQUESTS_PER_INVOCATION * INVOCATIONS_PER_TASK,
        0.40,
    ),
    ("invocations of cerebro", "tasks", INVOCATIONS_PER_TASK, 0.20),
)
"""What, counted by, how many for each, and dollars a million (us-east-1)."""


def crons(console: Console) -> CronList:
    """Return every cron, by its next tick, with the runs that it began."""
    paused = paused_crons(console)
    ticks = _ticks(console)
    rows = [
        CronRow(
            task=task.task,
            server=task.server,
            owner=task.owner,
            cron=task.cron,
            words=in_words(task.cron),
            timezone=task.timezone,
            paused=None if paused is None else task.task in paused,
            next_at=None if task.task in (paused or ()) else task.next_at,
            ticks=ticks.get(task.task, [])[:TICKS_MAX],
        )
        for task in console.engine.tasks()
        if task.cron is not None
    ]
    rows.sort(key=lambda row: (row.next_at is None, row.next_at, row.task))
    return CronList(rows=rows)


def _ticks(console: Console) -> dict[str, list[CronTick]]:
    """Return the last ticks by task, the newest first, whether they began a run or not."""
    ticks: dict[str, list[CronTick]] = defaultdict(list)
    for run in console.engine.runs(RUNS_MAX):
        if run.scheduled_at is not None:
            outcome = "running" if run.state == "failing" else run.state
            tick = CronTick(at=run.scheduled_at, outcome=outcome, run_id=run.run_id)
            ticks[run.task].append(tick)
    if console.has_cheap_events:
        console.reports.read_on(console.engine)
        for task, reports in console.reports.ticks.items():
            ticks[task] += [
                CronTick(at=report.at, outcome=report.outcome, text=report.text)
                for report in tuple(reports)
            ]
    for found in ticks.values():
        found.sort(key=lambda tick: tick.at, reverse=True)
    return ticks


def pause(console: Console, task: str, *, on: bool) -> None:
    """Pause a cron, or let it fire again. Raises NotFound."""
    with console.trying("operate"):
        console.operations.pause(task, on=on)


def dead_letters(console: Console) -> QueueList:
    """Return every queue that holds something."""
    with console.trying("operate"):
        queues = console.operations.dead_letters()
    return QueueList(
        rows=[
            QueueAnswer(
                name=queue.name,
                messages=queue.messages,
                back_to=queue.back_to,
                letters=[_row_of(letter) for letter in queue.letters]
                or [LetterRow(id="", reason="a sample", text=text) for text in queue.samples],
            )
            for queue in queues
        ]
    )


def _row_of(letter: QueuedDeadLetter) -> LetterRow:
    line = event_line(letter.text)
    return LetterRow(
        id=letter.id,
        reason=letter.reason,
        kind="" if line.message == UNREADABLE else line.message,
        subject=line.task or "",
        at=line.at,
        text=letter.text[:TEXT_CHARACTERS_MAX],
    )


def redrive(console: Console, queue: str, request: RedriveRequest) -> Moved:
    """Put letters back. Raises NotFound."""
    with console.trying("operate"):
        return Moved(moved=console.operations.redrive(queue, request.ids))


def purge(console: Console, queue: str, request: PurgeRequest) -> Moved:
    """Delete every letter of a queue. Raises NotFound, UserError for another name."""
    if request.confirm != queue:
        raise UserError(
            f"{queue} was not purged.",
            why=f"the name that was typed is {request.confirm[:100]!r}",
            next=f"type {queue}",
        )
    with console.trying("operate"):
        return Moved(moved=console.operations.purge(queue))


def doctor(console: Console) -> DoctorAnswer:
    """Return everything that has to be well."""
    return DoctorAnswer(
        rows=[
            FindingRow(
                what=finding.what, state=finding.state, found=finding.detail, next=finding.next
            )
            for finding in console.operations.examine()
        ]
    )


def cost(console: Console, run_id: str) -> CostAnswer:
    """Return what orchestrating a run would cost on AWS. Raises NotFound."""
    structure, facts = console.engine.structure(run_id), console.engine.facts(run_id)
    columns = facts.columns
    counted = {
        "tasks": sum(columns.attempt),
        "edges": sum(len(structure.upstream[index]) for index in columns.task),
    }
    lines = [
        CostLine(what=what, count=counted[by] * times, dollars=counted[by] * times * price / 1e6)
        for what, by, times, price in PRICES
    ]
    return CostAnswer(
        tasks=counted["tasks"],
        edges=counted["edges"],
        lines=lines,
        total=sum(x.dollars for x in lines),
    )
