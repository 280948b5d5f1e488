"""Cron words: a cron expression as a person would say it, where that is short."""

from collections.abc import Sequence
from typing import Final

from cordyna_core.contract.cron import Cron

_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def in_words(text: str) -> str:
    """Return `every minute`, `daily at 07:00`, `Monday at 06:00`.

    The expression where it says more.
    """
    cron = Cron.parse(text)
    all_hours, all_minutes = len(cron.hours) == 24, len(cron.minutes) == 60
    all_days = len(cron.days) == 31 and len(cron.months) == 12 and len(cron.weekdays) == 7
    if all_days and all_hours:
        return _within_the_hour(cron, text)
    if len(cron.hours) != 1 or len(cron.minutes) != 1 or all_minutes:
        return text
    at = f"at {cron.hours[0]:02d}:{cron.minutes[0]:02d}"
    if all_days:
        return f"daily {at}"
    if len(cron.days) == 31 and len(cron.months) == 12:
        return f"{_weekdays(cron.weekdays)} {at}"
    return text


def _weekdays(days: Sequence[int]) -> str:
    first, last = days[0], days[-1]
    if len(days) > 2 and len(days) == last - first + 1:
        return f"{_DAYS[first]} to {_DAYS[last]}"
    return ", ".join(_DAYS[day] for day in days)


def _within_the_hour(cron: Cron, text: str) -> str:
    if len(cron.minutes) == 60:
        return "every minute"
    if len(cron.minutes) == 1:
        return f"hourly at minute {cron.minutes[0]}"
    step = cron.minutes[1] - cron.minutes[0]
    if cron.minutes == tuple(range(0, 60, step)):
        return f"every {step} minutes"
    return text
