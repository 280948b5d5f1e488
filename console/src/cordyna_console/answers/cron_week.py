"""Cron week: what became of the ticks of a week, and which are to come.

Invariant: of the past, only what was recorded is shown: a run, or a report that there was none. A
cron that was declared yesterday missed nothing last Monday.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from cordyna_console.answers.catalog import paused_crons
from cordyna_console.answers.cron_times import cron_times
from cordyna_console.answers.cron_words import in_words
from cordyna_console.bus_reports import TickReport
from cordyna_console.calendar_models import CalendarCell, CalendarDay, CalendarRow, CronWeek
from cordyna_console.care_models import CronTick, TickOutcome
from cordyna_console.console import Console
from cordyna_core.contract.cron import Cron
from cordyna_core.contract.time_zones import UTC_NAME
from cordyna_core.contract.views.graph import TaskInfo
from cordyna_core.contract.views.runs import RunCriteria

RUNS_MAX: Final = 10_000
TICKS_SHOWN_MAX: Final = 6
"""A day with more ticks of one cron is counted."""

LATE_MAX: Final = timedelta(minutes=10)
"""A run may begin so long after its tick."""

Ticks = dict[datetime, CronTick]


def cron_week(console: Console, zone: str, day: date | None) -> CronWeek:
    """Return the week of a day; without one, of today."""
    now = console.now()
    days = _days_of_week(day or now.astimezone(_zone(zone)).date(), zone)
    begin, end = days[0].begin, days[-1].end
    fired = _fired(console, begin, end)
    reported = _reports(console)
    paused = paused_crons(console)
    rows: list[CalendarRow] = []
    for task in sorted(console.engine.tasks(), key=lambda task: task.task):
        if task.cron is None:
            continue
        cron = Cron.parse(task.cron)
        ticks = _to_come(task, cron, begin, end, now, is_paused=task.task in (paused or ()))
        ticks |= _without_run(reported.get(task.task, ()), cron, task.timezone, begin, end)
        ticks |= fired.get(task.task, {})
        rows.append(
            CalendarRow(
                task=task.task,
                server=task.server,
                cron=task.cron,
                words=in_words(task.cron),
                timezone=task.timezone,
                paused=None if paused is None else task.task in paused,
                cells=_cells(days, ticks),
            )
        )
    return CronWeek(zone=zone, now=now, days=days, rows=rows)


def _zone(name: str) -> tzinfo:
    return UTC if name == UTC_NAME else ZoneInfo(name)


def _days_of_week(day: date, zone: str) -> list[CalendarDay]:
    monday = day - timedelta(days=day.weekday())
    dates = [monday + timedelta(days=number) for number in range(8)]
    begins = [
        datetime(at.year, at.month, at.day, tzinfo=_zone(zone)).astimezone(UTC) for at in dates
    ]
    return [
        CalendarDay(day=dates[number], begin=begins[number], end=begins[number + 1])
        for number in range(7)
    ]


def _fired(console: Console, begin: datetime, end: datetime) -> dict[str, Ticks]:
    """Return the ticks that began a run, by task."""
    fired: dict[str, Ticks] = defaultdict(dict)
    wanted = RunCriteria(since=begin, until=end + LATE_MAX)
    for run in console.engine.runs(RUNS_MAX, wanted):
        at = run.scheduled_at
        if at is not None and begin <= at < end:
            outcome = "running" if run.state == "failing" else run.state
            fired[run.task][at] = CronTick(at=at, outcome=outcome, run_id=run.run_id)
    return fired


def _reports(console: Console) -> dict[str, Sequence[TickReport]]:
    if not console.has_cheap_events:
        return {}
    console.reports.read_on(console.engine)
    return {task: tuple(reports) for task, reports in console.reports.ticks.items()}


def _without_run(
    reports: Iterable[TickReport], cron: Cron, timezone: str, begin: datetime, end: datetime
) -> Ticks:
    ticks: Ticks = {}
    for report in reports:
        first, last = max(report.at, begin), min(report.until, end - timedelta(microseconds=1))
        nominal = cron_times(cron, timezone, first, last + timedelta(microseconds=1))
        # The cron may have been another one then: what was reported is shown all the same.
        for at in [*nominal] or ([first] if first <= last else []):
            ticks[at] = CronTick(at=at, outcome=report.outcome, text=report.text)
    return ticks


def _to_come(
    task: TaskInfo, cron: Cron, begin: datetime, end: datetime, now: datetime, *, is_paused: bool
) -> Ticks:
    outcome: TickOutcome = "paused" if is_paused else "to come"
    begin = max(begin, now + timedelta(microseconds=1))
    return {
        at: CronTick.model_construct(at=at, outcome=outcome)
        for at in cron_times(cron, task.timezone, begin, end)
    }


def _cells(days: Sequence[CalendarDay], ticks: Ticks) -> list[CalendarCell]:
    ordered = sorted(ticks.values(), key=lambda tick: tick.at)
    cells: list[CalendarCell] = []
    at = 0
    for day in days:
        first = at
        while at < len(ordered) and ordered[at].at < day.end:
            at += 1
        of_day = ordered[first:at]
        cells.append(
            CalendarCell(
                counts=dict(Counter(tick.outcome for tick in of_day)),
                ticks=of_day if len(of_day) <= TICKS_SHOWN_MAX else [],
            )
        )
    return cells
