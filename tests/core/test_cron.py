"""Cron: what may be declared, and that EventBridge fires at the same times."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from cordyna_core.contract.cron import Cron


class EventBridgeCron:
    """An evaluator of EventBridge's dialect, after its "Cron expressions reference"."""

    def __init__(self, expression: str) -> None:
        assert expression.startswith("cron(")
        assert expression.endswith(")")
        assert len(expression) <= 256, "EventBridge Scheduler takes at most 256 characters"
        minute, hour, day, month, weekday, year = expression[5:-1].split(" ")
        assert [day, weekday].count("?") == 1, "exactly one of the day fields is ?"
        assert year == "*"
        assert "/" not in weekday, "the day of week has no steps"
        self.minutes, self.hours = self.values(minute, 0, 59), self.values(hour, 0, 23)
        self.months = self.values(month, 1, 12)
        self.days = None if day == "?" else self.values(day, 1, 31)
        self.weekdays = None if weekday == "?" else self.values(weekday, 1, 7)

    @staticmethod
    def values(field: str, low: int, high: int) -> set[int]:
        values: set[int] = set()
        for term in field.split(","):
            body, slash, step = term.partition("/")
            begin, dash, end = body.partition("-")
            first = low if begin == "*" else int(begin)
            # A step from a single value runs to the end of the field.
            last = int(end) if dash else high if slash or begin == "*" else first
            assert low <= first <= last <= high
            values.update(range(first, last + 1, int(step or 1)))
        return values

    def fires_at(self, at: datetime) -> bool:
        if (
            at.minute not in self.minutes
            or at.hour not in self.hours
            or at.month not in self.months
        ):
            return False
        if self.days is not None:
            return at.day in self.days
        assert self.weekdays is not None
        return at.isoweekday() % 7 + 1 in self.weekdays

    def fires_on(self, day: datetime) -> list[datetime]:
        times = (
            day.replace(hour=hour, minute=minute)
            for hour in sorted(self.hours)
            for minute in sorted(self.minutes)
        )
        return [time for time in times if self.fires_at(time)]


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> str:
    """A field as people write them: stars, lists, ranges, steps."""
    terms = []
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        step = draw(st.integers(1, high + 2))
        # Cronsim takes 5-5/2 for 5-59/2; crontab(5) and this library take it for 5.
        stepped = f"{first}-{last}/{step}" if first < last else str(first)
        terms.append(
            draw(st.sampled_from(["*", f"*/{step}", str(first), f"{first}-{last}", stepped]))
        )
    return ",".join(terms)


@st.composite
def crons(draw: st.DrawFn) -> str:
    minute, hour = draw(fields(0, 59)), draw(fields(0, 23))
    # A day that every month has, so that a cron that never fires is not drawn.
    day, weekday = draw(st.sampled_from([("*", draw(fields(0, 7))), (draw(fields(1, 28)), "*")]))
    return f"{minute} {hour} {day} {draw(fields(1, 12))} {weekday}"


def moments() -> st.SearchStrategy[datetime]:
    return st.integers(1_700_000_000, 2_200_000_000).map(
        lambda seconds: datetime.fromtimestamp(seconds, UTC)
    )


@given(crons(), moments())
def test_eventbridge_and_cronsim_fire_at_the_same_minutes(text: str, at: datetime) -> None:
    cron = Cron.parse(text)
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    assert EventBridgeCron(cron.to_eventbridge()).fires_on(day) == list(
        those_of(CronSim(text, day - timedelta(minutes=1)), day)
    )


@given(crons(), moments())
def test_cron_as_text_fires_at_the_same_times_in_cronsim(text: str, at: datetime) -> None:
    assert list(islice(CronSim(str(Cron.parse(text)), at), 5)) == list(islice(CronSim(text, at), 5))


@given(crons())
def test_cron_as_text_is_parsed_as_the_same_cron(text: str) -> None:
    assert Cron.parse(str(Cron.parse(text))) == Cron.parse(text)


@given(
    st.sampled_from(["*/1", "1-31", "1-31/1", "1-15,16-31", "*,5"]),
    st.sampled_from(["*/1", "0-6", "0-7", "1-7", "SUN-SAT", "MON-SUN", "0-3,4-6"]),
    st.sampled_from(["MON", "1-5", "0"]),
    st.sampled_from(["1", "*/2", "10-20"]),
)
def test_full_range_of_a_day_field_counts_as_star(
    days: str, weekdays: str, weekday: str, day: str
) -> None:
    assert Cron.parse(f"0 0 {days} * {weekday}") == Cron.parse(f"0 0 * * {weekday}")
    assert Cron.parse(f"0 0 {day} * {weekdays}") == Cron.parse(f"0 0 {day} * *")
    assert Cron.parse(f"0 0 {days} * {weekdays}") == Cron.parse("0 0 * * *")


@given(st.text(alphabet="0123456789*/-,? LWSUNJA#@\n", max_size=30))
def test_cron_of_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        cron = Cron.parse(text)
    except ValueError as refused:
        text = str(refused)
    else:
        text = f"cron of {EventBridgeCron(cron.to_eventbridge())}"
    assert text.startswith("cron ")


def those_of(ticks: Iterable[datetime], day: datetime) -> Iterable[datetime]:
    for tick in ticks:
        if tick >= day + timedelta(days=1):
            return
        yield tick


@pytest.mark.parametrize(
    ("unix", "eventbridge"),
    [
        ("* * * * *", "cron(* * * * ? *)"),
        ("0 6 * * 1-5", "cron(0 6 ? * 2,3,4,5,6 *)"),
        ("*/5 * * * *", "cron(0/5 * * * ? *)"),
        ("*/7 * * * *", "cron(0/7 * * * ? *)"),
        ("7-59/13 0-12/2 */2 * *", "cron(7/13 0,2,4,6,8,10,12 1/2 * ? *)"),
        ("0,1,2,3,30 0 1,15 jan-mar *", "cron(0-3,30 0 1,15 1-3 ? *)"),
        ("0 0 * * 0", "cron(0 0 ? * 1 *)"),
        ("0 0 * * 7", "cron(0 0 ? * 1 *)"),
        ("0 0 * * sun", "cron(0 0 ? * 1 *)"),
        ("0 0 * * 5-7", "cron(0 0 ? * 1,6,7 *)"),
        ("0 0 * * FRI-SUN", "cron(0 0 ? * 1,6,7 *)"),
        ("0 0 * * SUN-MON", "cron(0 0 ? * 1,2 *)"),
        ("0 0 * * SUN-SUN", "cron(0 0 ? * 1 *)"),
        ("0 0 * * 0-7", "cron(0 0 * * ? *)"),
        ("0 0 29 2 *", "cron(0 0 29 2 ? *)"),
        ("0 0 */1 * MON", "cron(0 0 ? * 2 *)"),
        ("0 0 1-31 * 1", "cron(0 0 ? * 2 *)"),
        ("0 0 1 * */1", "cron(0 0 1 * ? *)"),
        ("0 0 1 * 0-7", "cron(0 0 1 * ? *)"),
        ("0 0 1 * 1-6,SUN", "cron(0 0 1 * ? *)"),
    ],
)
def test_cron_to_eventbridge_is_this_expression(unix: str, eventbridge: str) -> None:
    assert Cron.parse(unix).to_eventbridge() == eventbridge


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("@daily", "has 1 field instead of five: minute, hour, day of month, month, day of week"),
        ("0 0 6 * * *", "has 6 fields instead of five"),
        ("", "has 0 fields instead of five"),
        ("60 * * * *", "minute '60': '60' is not an allowed value; allowed: 0-59"),
        ("* 24 * * *", "hour '24': '24' is not an allowed value; allowed: 0-23"),
        ("* * 0 * *", "day of month '0': '0' is not an allowed value; allowed: 1-31"),
        ("* * * FOO *", "month 'FOO': 'FOO' is not an allowed value; allowed: 1-12 or JAN-DEC"),
        ("* * * * 8", "day of week '8': '8' is not an allowed value; allowed: 0-7 or SUN-SAT"),
        ("* * * MON *", "month 'MON'"),
        ("* * L * *", "day of month 'L'"),
        ("* * * * 5L", "day of week '5L': '5L' is not a list, a range or a step"),
        ("* * * * 1#2", "day of week '1#2': '1#2' is not a list, a range or a step"),
        ("* * ? * *", "day of month '?': '?' is not a list, a range or a step"),
        ("1,,2 * * * *", "minute '1,,2': '' is not a list, a range or a step"),
        ("*/0 * * * *", "minute '*/0': a step is at least 1"),
        ("5/15 * * * *", "minute '5/15': a step needs a range: write 5-59/15"),
        ("* 5-3 * * *", "hour '5-3': the range '5-3' runs backwards"),
        (
            "0 0 1 * 1",
            (
                "restricts both the day of month (1) and the day of week (1), "
                "which EventBridge cannot express: leave one of them *"
            ),
        ),
        ("0 0 */2 * MON", "which EventBridge cannot express"),
        ("0 0 1-30 * MON-SAT", "which EventBridge cannot express"),
        ("0 0 30 2 *", "never fires: day of month 30 does not exist in month 2"),
        ("0 0 31 4,6,9,11 *", "never fires"),
    ],
)
def test_cron_invalid_names_the_field_and_what_is_allowed(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="cron") as refused:
        Cron.parse(text)
    assert reason in str(refused.value)


def test_cron_step_over_one_value_is_that_value() -> None:
    assert Cron.parse("5-5/2 * * * *").minutes == (5,)


def two_of_three(first: int, last: int) -> str:
    """Values that cannot be written shorter than as a list."""
    return ",".join(str(value) for value in range(first, last + 1) if (value - first) % 3 < 2)


def test_cron_longest_expression_fits_into_a_schedule() -> None:
    minutes, hours = two_of_three(0, 59), two_of_three(0, 22)
    days, months = two_of_three(1, 29), two_of_three(1, 11)
    longest = f"{minutes} {hours} {days} {months} *"
    EventBridgeCron(Cron.parse(longest).to_eventbridge())
