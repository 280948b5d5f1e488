"""Schedule: the next firing times in a time zone, on days whose clocks change too, and what becomes of missed ticks."""

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
    found, moment = [], at(after)
    for _ in range(count):
        moment = next_after(cron, zone, moment)
        found.append(utc(moment))
    return found


def test_a_cron_fires_at_the_wall_time_of_its_zone() -> None:
    assert ticks("0 6 * * 1-5", BERLIN, "2026-01-02T12:00", 2) == [
        "2026-01-05T05:00",
        "2026-01-06T05:00",
    ]
    assert ticks("0 6 * * 1-5", BERLIN, "2026-07-03T12:00", 2) == [
        "2026-07-06T04:00",
        "2026-07-07T04:00",
    ]


def test_the_next_time_is_later_than_the_one_asked_about() -> None:
    assert ticks("*/5 * * * *", "UTC", "2026-01-01T00:05:00", 1) == ["2026-01-01T00:10"]
    assert ticks("*/5 * * * *", "UTC", "2026-01-01T00:04:59.999", 1) == ["2026-01-01T00:05"]


def test_in_spring_a_time_that_does_not_exist_is_skipped() -> None:
    # On 2026-03-29 the clocks of Berlin go from 02:00 to 03:00.
    assert ticks("30 2 * * *", BERLIN, "2026-03-27T12:00", 3) == [
        "2026-03-28T01:30",
        "2026-03-30T00:30",
        "2026-03-31T00:30",
    ]


def test_in_spring_what_fires_every_half_hour_goes_on_without_a_pause() -> None:
    assert ticks("*/30 * * * *", BERLIN, "2026-03-29T00:15", 3) == [
        "2026-03-29T00:30",
        "2026-03-29T01:00",
        "2026-03-29T01:30",
    ]


def test_in_autumn_a_time_that_comes_twice_fires_once_the_first_time() -> None:
    # On 2026-10-25 the clocks of Berlin go from 03:00 back to 02:00.
    assert ticks("30 2 * * *", BERLIN, "2026-10-24T12:00", 2) == [
        "2026-10-25T00:30",
        "2026-10-26T01:30",
    ]


def test_in_autumn_what_fires_every_hour_pauses_for_the_hour_that_comes_again() -> None:
    assert ticks("0 * * * *", BERLIN, "2026-10-24T23:30", 3) == [
        "2026-10-25T00:00",
        "2026-10-25T02:00",
        "2026-10-25T03:00",
    ]


def test_asked_within_the_hour_that_comes_again_the_next_time_is_not_one_that_has_passed() -> None:
    assert ticks("30 2 * * *", BERLIN, "2026-10-25T01:15", 1) == ["2026-10-26T01:30"]


def test_the_29th_of_february_is_found_across_a_century_without_one() -> None:
    assert ticks("0 0 29 2 *", "UTC", "2096-03-01T00:00", 1) == ["2104-02-29T00:00"]


def test_a_cron_that_cannot_be_declared_has_no_next_time() -> None:
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
def test_a_next_time_is_later_and_its_wall_time_is_the_one_that_was_asked_for(
    cron: str, zone: str, after: float
) -> None:
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
    # Nothing lies between: asked again from just before, it is the same.
    assert next_after(cron, zone, tick - 0.001) == tick


def test_a_tick_at_most_five_minutes_late_fires() -> None:
    assert due_ticks(
        "0 * * * *", "UTC", after=at("2026-01-01T11:30"), now=at("2026-01-01T12:05:00")
    ) == Ticks(at("2026-01-01T12:00"), ())


def test_a_tick_more_than_five_minutes_late_is_reported_instead() -> None:
    assert due_ticks(
        "0 * * * *", "UTC", after=at("2026-01-01T11:30"), now=at("2026-01-01T12:05:01")
    ) == Ticks(None, (at("2026-01-01T12:00"),))


def test_of_several_missed_ticks_only_the_last_fires_and_the_others_are_reported() -> None:
    found = due_ticks(
        "*/2 * * * *", "UTC", after=at("2026-01-01T11:55"), now=at("2026-01-01T12:00:30")
    )
    assert found == Ticks(at("2026-01-01T12:00"), (at("2026-01-01T11:56"), at("2026-01-01T11:58")))


def test_when_nothing_was_due_nothing_fires_and_nothing_is_missed() -> None:
    assert due_ticks(
        "0 * * * *", "UTC", after=at("2026-01-01T12:00"), now=at("2026-01-01T12:59")
    ) == Ticks(None, ())


def test_after_a_year_asleep_only_the_ticks_of_the_last_week_are_told() -> None:
    found = due_ticks("* * * * *", "UTC", after=at("2025-01-01T00:00"), now=at("2026-01-01T00:00"))
    assert found.fires == at("2026-01-01T00:00")
    assert len(found.missed) == MISSED_TICKS_MAX_AGE_S / 60 - 1
