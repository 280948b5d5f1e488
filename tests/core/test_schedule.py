"""Schedule: the next firing times in a time zone, and which ticks were missed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.cron.schedule import MISSED_TICKS_MAX_AGE_S, Ticks, due_ticks, next_after

BERLIN, SYDNEY = "Europe/Berlin", "Australia/Lord_Howe"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M")


def ticks(cron: str, zone: str, after: str, count: int) -> list[str]:
    times, moment = [], at(after)
    for _ in range(count):
        moment = next_after(cron, zone, moment)
        times.append(utc(moment))
    return times


def test_next_fires_at_wall_time_of_the_zone() -> None:
    assert ticks("0 6 * * 1-5", BERLIN, "2026-01-02T12:00", 2) == [
        "2026-01-05T05:00",
        "2026-01-06T05:00",
    ]
    assert ticks("0 6 * * 1-5", BERLIN, "2026-07-03T12:00", 2) == [
        "2026-07-06T04:00",
        "2026-07-07T04:00",
    ]


def test_next_is_later_than_the_given_time() -> None:
    assert ticks("*/5 * * * *", "UTC", "2026-01-01T00:05:00", 1) == ["2026-01-01T00:10"]
    assert ticks("*/5 * * * *", "UTC", "2026-01-01T00:04:59.999", 1) == ["2026-01-01T00:05"]


def test_next_in_spring_skips_missing_times() -> None:
    # On 2026-03-29 the clocks of Berlin go from 02:00 to 03:00.
    assert ticks("30 2 * * *", BERLIN, "2026-03-27T12:00", 3) == [
        "2026-03-28T01:30",
        "2026-03-30T00:30",
        "2026-03-31T00:30",
    ]


def test_next_in_spring_every_half_hour_has_no_pause() -> None:
    assert ticks("*/30 * * * *", BERLIN, "2026-03-29T00:15", 3) == [
        "2026-03-29T00:30",
        "2026-03-29T01:00",
        "2026-03-29T01:30",
    ]


def test_next_in_autumn_repeated_time_fires_once() -> None:
    # On 2026-10-25 the clocks of Berlin go from 03:00 back to 02:00.
    assert ticks("30 2 * * *", BERLIN, "2026-10-24T12:00", 2) == [
        "2026-10-25T00:30",
        "2026-10-26T01:30",
    ]


def test_next_in_autumn_hourly_skips_the_repeated_hour() -> None:
    assert ticks("0 * * * *", BERLIN, "2026-10-24T23:30", 3) == [
        "2026-10-25T00:00",
        "2026-10-25T02:00",
        "2026-10-25T03:00",
    ]


def test_next_within_the_repeated_hour_is_not_past() -> None:
    assert ticks("30 2 * * *", BERLIN, "2026-10-25T01:15", 1) == ["2026-10-26T01:30"]


def test_next_29_february_skips_a_century_without_one() -> None:
    assert ticks("0 0 29 2 *", "UTC", "2096-03-01T00:00", 1) == ["2104-02-29T00:00"]


def test_next_of_invalid_cron_raises() -> None:
    with pytest.raises(ValueError, match="cannot express"):
        next_after("0 0 1 * 1", "UTC", 0.0)


@given(
    st.sampled_from(
        ["*/15 * * * *", "30 2 * * *", "0 */2 * * 0", "15 1,2,3 1-7 * *", "59 23 31 * *"]
    ),
    st.sampled_from(
        [BERLIN, SYDNEY, "America/New_York", "Asia/Kathmandu", "America/Santiago", "UTC"]
    ),
    st.floats(1.7e9, 2.2e9),
)
def test_next_of_any_cron_is_later_and_matches(cron: str, zone: str, after: float) -> None:
    tick = next_after(cron, zone, after)
    assert tick > after
    wall = datetime.fromtimestamp(tick, ZoneInfo(zone))
    assert (wall.second, wall.microsecond, wall.fold) == (0, 0, 0)
    assert f"{wall.minute}" in {
        "*/15 * * * *": "0 15 30 45",
        "30 2 * * *": "30",
        "0 */2 * * 0": "0",
        "59 23 31 * *": "59",
    }.get(cron, "15")
    # Nothing is in between: from just before, the next time is the same.
    assert next_after(cron, zone, tick - 0.001) == tick


def test_due_tick_five_minutes_late_fires() -> None:
    assert due_ticks(
        "0 * * * *", "UTC", after=at("2026-01-01T11:30"), now=at("2026-01-01T12:05:00")
    ) == Ticks(at("2026-01-01T12:00"), ())


def test_due_tick_later_is_missed() -> None:
    assert due_ticks(
        "0 * * * *", "UTC", after=at("2026-01-01T11:30"), now=at("2026-01-01T12:05:01")
    ) == Ticks(None, (at("2026-01-01T12:00"),))


def test_due_several_ticks_fires_the_last() -> None:
    ticks = due_ticks(
        "*/2 * * * *", "UTC", after=at("2026-01-01T11:55"), now=at("2026-01-01T12:00:30")
    )
    assert ticks == Ticks(at("2026-01-01T12:00"), (at("2026-01-01T11:56"), at("2026-01-01T11:58")))


def test_due_nothing_fires_and_misses_nothing() -> None:
    assert due_ticks(
        "0 * * * *", "UTC", after=at("2026-01-01T12:00"), now=at("2026-01-01T12:59")
    ) == Ticks(None, ())


def test_due_after_a_year_reports_the_last_week() -> None:
    ticks = due_ticks("* * * * *", "UTC", after=at("2025-01-01T00:00"), now=at("2026-01-01T00:00"))
    assert ticks.fires == at("2026-01-01T00:00")
    assert len(ticks.missed) == MISSED_TICKS_MAX_AGE_S / 60 - 1
