"""Trend: how a week's sales compare with those of the week before."""

from pydantic import BaseModel, ConfigDict, Field


class WeekSales(BaseModel):
    """The output of team a's `week-sales`, in cents."""

    model_config = ConfigDict(frozen=True)

    by_day: dict[str, int] = Field(min_length=1)
    cents_before: int


class Trend(BaseModel):
    """`change_percent` is None when nothing was sold in the days before."""

    model_config = ConfigDict(frozen=True)

    cents: int
    best_day: str
    best_cents: int
    change_percent: float | None


def trend(week: WeekSales) -> Trend:
    cents = sum(week.by_day.values())
    best = max(week.by_day, key=lambda day: week.by_day[day])
    change = round(100 * (cents / week.cents_before - 1), 1) if week.cents_before else None
    return Trend(cents=cents, best_day=best, best_cents=week.by_day[best], change_percent=change)
