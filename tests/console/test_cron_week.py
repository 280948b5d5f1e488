"""The week of crons: the same times as cerebro, days of 23 and 25 hours, runs, missed, paused."""

import json
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.cron.schedule import next_after
from cerebro.core.cron.ticks import missed_ticks
from cerebro.embedded.embedded_engine import EmbeddedEngine
from console.consoles import NOW, a_client, a_console, an_engine, get
from cordyna_cli.engine import Invoked
from cordyna_console.answers.cron_times import cron_times
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.cron import Cron
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.time import utc

SPRING, AUTUMN = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
CRONS = ["* * * * *", "30 2 * * *", "*/20 1-3 * * *", "0 0 * * 0", "15 7 1 * *", "59 23 28,29 3 *"]


def cerebros_times(cron: str, zone: str, begin: datetime, end: datetime) -> list[datetime]:
    """Every time at which cerebro fires it."""

    def following() -> Any:
        at = begin.timestamp() - 1
        while True:
            at = next_after(cron, zone, at)
            yield utc(at)

    return [at for at in takewhile(lambda at: at < end, following()) if at >= begin]


@given(
    st.sampled_from(CRONS),
    st.sampled_from(ZONES),
    st.sampled_from([SPRING, AUTUMN, NOW]),
    st.integers(-3_000, 3_000),
    st.integers(0, 1_500),
)
def test_cron_times_are_those_of_cerebro(
    cron: str, zone: str, near: datetime, offset: int, minutes: int
) -> None:
    begin = near + timedelta(minutes=offset)
    end = begin + timedelta(minutes=minutes)
    found = list(cron_times(Cron.parse(cron), zone, begin, end))
    assert found == cerebros_times(cron, zone, begin, end)


def week(engine: EmbeddedEngine, **query: Any) -> Any:
    return get(a_client(a_console(engine)), "/crons/week", **query)


def row_of(answer: Any, task: str) -> Any:
    return next(row for row in answer["rows"] if row["task"] == task)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_day_on_which_clocks_change_has_its_hours(day: str, hours: int) -> None:
    with an_engine() as engine:
        answer = week(engine, zone="Europe/Berlin", day=day)
    begin, end = (datetime.fromisoformat(answer["days"][6][name]) for name in ("begin", "end"))
    assert (answer["days"][6]["day"], end - begin) == (day, timedelta(hours=hours))
    assert [day["day"] for day in answer["days"]] == sorted(day["day"] for day in answer["days"])


def test_ticks_to_come_are_listed_or_counted() -> None:
    with an_engine() as engine:
        # NOW is Saturday noon in UTC.
        answer = week(engine)
        after = week(engine, day="2026-12-02")
    orders, report = row_of(answer, "orders"), row_of(after, "report")
    assert [cell["counts"] for cell in orders["cells"]] == [
        {}, {}, {}, {}, {}, {"to come": 143}, {"to come": 288}
    ]  # fmt: skip
    assert orders["cells"][6]["ticks"] == []
    assert [len(cell["ticks"]) for cell in report["cells"]] == [1, 1, 1, 1, 1, 0, 0]
    assert report["cells"][0]["ticks"][0]["at"] == "2026-11-30T07:00:00.000Z"


def test_tick_with_a_run_leads_to_it() -> None:
    with an_engine() as engine:
        at = datetime.now(UTC).replace(second=0, microsecond=0)
        answer = engine.invoke(InvokeTask(task="orders", scheduled_at=at))
        assert isinstance(answer, Invoked)
        *_, last = engine.follow(answer.run_id)
        assert last.state == "completed"
        cells = row_of(week(engine, day=at.date().isoformat()), "orders")["cells"]
    (cell,) = [cell for cell in cells if cell["counts"].get("completed")]
    assert cell["counts"]["completed"] == 1


def test_missed_ticks_are_shown_each_in_its_place() -> None:
    begin = datetime(2026, 11, 27, 23, 50, tzinfo=UTC)
    missed = [(begin + timedelta(minutes=5 * step)).timestamp() for step in range(4)]
    with an_engine() as engine:
        message = missed_ticks("orders", missed, now=NOW.timestamp())
        sealed = seal(message, source=CEREBRO, event_id="e", time=NOW)
        engine._home.event_log.append(None, sealed, NOW.timestamp())
        friday, saturday = row_of(week(engine), "orders")["cells"][4:6]
    assert (friday["counts"], saturday["counts"]["missed"]) == ({"missed": 2}, 2)
    assert [tick["at"] for tick in friday["ticks"]] == [
        "2026-11-27T23:50:00.000Z",
        "2026-11-27T23:55:00.000Z",
    ]
    assert "no engine was running" in friday["ticks"][0]["text"]


def test_paused_cron_has_no_ticks_to_come() -> None:
    with an_engine() as engine:
        console = a_console(engine)
        console.operations.pause("report", on=True)
        cell = row_of(week(engine, day="2026-12-02"), "report")["cells"][0]
    assert cell["counts"] == {"paused": 1}


@pytest.mark.parametrize(
    "query",
    [{"zone": "Mars/Olympus"}, {"zone": "../../etc/passwd"}, {"zone": ""}, {"day": "2026-02-30"},
     {"day": "0001-01-01"}, {"day": "9999-12-31"}],
)  # fmt: skip
def test_week_of_nowhere_is_refused(query: dict[str, str]) -> None:
    with an_engine() as engine:
        problem = get(a_client(a_console(engine)), "/crons/week", 400, **query)
    assert json.dumps(problem["problems"]) != "[]"
