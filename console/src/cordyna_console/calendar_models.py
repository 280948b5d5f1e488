"""Calendar models: what the API says of the ticks of a week."""

from datetime import date

from pydantic import Field

from cordyna_console.answer_base import ApiAnswer
from cordyna_console.care_models import CronTick
from cordyna_core.contract.time import Instant


class CalendarDay(ApiAnswer):
    """One day of a week; it has 23 or 25 hours when clocks change."""

    day: date
    begin: Instant
    end: Instant = Field(description="When the day after it begins.")


class CalendarCell(ApiAnswer):
    """The ticks of one cron on one day."""

    counts: dict[str, int] = Field(description="Ticks by their outcome.")
    ticks: list[CronTick] = Field(description="Each of them, in order; none where they are many.")


class CalendarRow(ApiAnswer):
    """One cron, a cell for each day."""

    task: str
    server: str
    cron: str
    words: str
    timezone: str
    paused: bool | None = Field(description="None: this person may not know.")
    cells: list[CalendarCell]


class CronWeek(ApiAnswer):
    """The crons of one week, Monday to Sunday, in one time zone."""

    zone: str
    now: Instant
    days: list[CalendarDay]
    rows: list[CalendarRow]
