"""Crons with the ticks that began no run, dead letters that are deleted, who drives a home."""

import json
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from typing import Any

import prices
import pytest

from cerebro.core.cron.ticks import missed_ticks
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import MemoryHome, open_home
from console.consoles import (
    API,
    CHANGES,
    NOW,
    a_client,
    a_console,
    an_engine,
    get,
    three_servers,
)
from console.test_aws import a_cloud_console
from contract.golden_messages import golden
from cordyna_console.answers.care import PRICES
from cordyna_console.bus_reports import TICKS_KEPT, BusReports
from cordyna_core.contract.base import Problem, meta_at
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.state_updates import InvocationRejected
from cordyna_core.contract.time import utc

T0 = datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp()
MISSED = missed_ticks("orders", [T0, T0 + 3600], now=T0 + 7200)
assert isinstance(MISSED, InvocationRejected)


def report_ticks(engine: EmbeddedEngine, *codes: str) -> None:
    """Let cerebro say of ticks of `orders` that they began no run."""
    for number, code in enumerate(codes):
        message = InvocationRejected(
            meta=meta_at(NOW.timestamp() + number, f"tick-{number}"),
            event_id=f"tick-{number}",
            task="orders",
            problems=[Problem(code=code, message=f"tick {number}: {code}")],
        )
        sealed = seal(
            message, source=CEREBRO, event_id=f"tick-{number}", time=utc(NOW.timestamp() + number)
        )
        engine._home.event_log.append(None, sealed, NOW.timestamp())


def test_ticks_without_a_run_are_shown_with_their_reason() -> None:
    with an_engine() as engine:
        report_ticks(engine, "missed_tick", "unknown_param", "overlap_skipped")
        engine._home.event_log.append(None, "InvocationRejected, but no event", 0.0)
        rows = get(a_client(a_console(engine)), "/crons")["rows"]
    ticks = next(row["ticks"] for row in rows if row["task"] == "orders")
    assert [(tick["outcome"], tick["text"]) for tick in ticks] == [
        ("skipped", "tick 2: overlap_skipped"),
        ("missed", "tick 0: missed_tick"),
    ]
    assert [tick["run_id"] for tick in ticks] == [None, None]


def test_reports_read_each_event_once_and_keep_the_last() -> None:
    with an_engine() as engine:
        reports = BusReports()
        reports.read_on(engine)
        report_ticks(engine, *["missed_tick"] * (TICKS_KEPT + 5))
        reports.read_on(engine)
        reports.read_on(engine)
    assert len(reports.ticks["orders"]) == TICKS_KEPT
    assert reports.ticks["orders"][-1].text == f"tick {TICKS_KEPT + 4}: missed_tick"


@pytest.mark.parametrize(
    "text",
    [
        MISSED.problems[0].message,
        # As a home has it from before.
        "2 ticks of 'orders' from 2027-01-15T08:00:00+00:00 to 2027-01-15T09:00:00+00:00 were",
    ],
)
def test_missed_ticks_have_their_own_times(text: str) -> None:
    with an_engine() as engine:
        problem = Problem(code="missed_tick", message=text)
        message = InvocationRejected(
            meta=meta_at(T0 + 7200, "t"), event_id="t", task="orders", problems=[problem]
        )
        sealed = seal(message, source=CEREBRO, event_id="t", time=utc(T0 + 7200))
        engine._home.event_log.append(None, sealed, T0 + 7200)
        reports = BusReports()
        reports.read_on(engine)
    (report,) = reports.ticks["orders"]
    assert (report.at, report.until) == (utc(T0), utc(T0 + 3600))


@pytest.mark.parametrize(("kind", "left"), [("rejected_declaration", 0), ("unresponsive", 1)])
def test_rejection_is_gone_with_its_incident(kind: str, left: int) -> None:
    """A server that loads again, unchanged, is accepted without an answer; its incident closes."""
    rejected, closed = golden("DeclarationRejected"), golden("IncidentClosed")
    closed["detail"] |= {"kind": kind, "server": rejected["detail"]["server"]}
    with an_engine() as engine:
        for event in (rejected, closed):
            engine._home.event_log.append(None, json.dumps(event), T0)
        reports = BusReports()
        reports.read_on(engine)
    assert len(reports.rejections) == left


def test_person_who_may_not_operate_sees_crons() -> None:
    client, _, cloud = a_cloud_console()
    cloud.declare("x", "y<-x", cron="0 7 * * *")
    del cloud.answers["scheduler.list_schedules"]

    def deny(**_: Any) -> Any:
        from cli_aws.cloud_in_memory import refused  # noqa: PLC0415

        raise refused("AccessDeniedException")

    cloud.answers["scheduler.list_schedules"] = deny
    rows = get(client, "/crons")["rows"]
    assert {row["paused"] for row in rows} == {None}


def test_letters_are_deleted_after_their_queue_is_typed() -> None:
    with an_engine() as engine:
        client = a_client(a_console(engine))
        engine.send([json.dumps({"detail-type": "Odd"})])
        (queue,) = get(client, "/dead-letters")["rows"]
        path = f"{API}/dead-letters/{queue['name']}/purge"
        wrong = client.post(path, headers=CHANGES, json={"confirm": "yes"})
        assert (wrong.status_code, wrong.json()["next"]) == (409, f"type {queue['name']}")
        assert len(get(client, "/dead-letters")["rows"]) == 1
        right = client.post(path, headers=CHANGES, json={"confirm": queue["name"]})
        assert (right.status_code, right.json()) == (200, {"moved": 1})
        assert get(client, "/dead-letters")["rows"] == []


def test_home_without_a_driver_says_how_to_start_one() -> None:
    with EmbeddedEngine(MemoryHome(), three_servers()) as engine:
        client = a_client(a_console(engine))
        driver = get(client, "/me")["driver"]
        assert not driver["drives"]
        assert driver["next"] == "dyna --server my.py dev"


def test_cerebro_in_the_cloud_has_no_driver_here() -> None:
    client, _, _ = a_cloud_console()
    assert get(client, "/me")["driver"] is None


def test_newest_events_are_the_end_of_the_log() -> None:
    with an_engine() as engine:
        every = engine.events()
        assert engine.newest_events(2) == every[-2:]
        assert engine.newest_events(10_000) == every
        assert engine.events(after=every[0].seq, limit=2) == every[1:3]


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("/health", "*/*", 404),
        ("/health", "application/json", 404),
        ("/runs/X", "*/*", 200),
        ("/no-such-page", "text/html,*/*;q=0.8", 404),
        ("/app/none.js", "*/*", 404),
    ],
)
def test_unknown_address_is_a_problem_for_a_program(path: str, accept: str, status: int) -> None:
    with an_engine() as engine:
        answer = a_client(a_console(engine)).get(path, headers={"accept": accept})
    assert answer.status_code == status
    is_page = "text/html" in answer.headers["content-type"]
    assert is_page == (status == 200 or "text/html" in accept)
    assert is_page or answer.json()["next"]


def test_home_that_was_deleted_is_shown_and_takes_no_command(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with EmbeddedEngine(open_home(home), {}, declares=False) as engine:
        client = a_client(a_console(engine))
        assert get(client, "/me")["driver"]["next"] == "dyna --server my.py dev"
        rmtree(home)
        driver = get(client, "/me")["driver"]
        assert (driver["drives"], f"{home} was deleted" in driver["sentence"]) == (False, True)
        for path, body in (("/runs", {"task": "orders"}), ("/crons/orders/pause", {})):
            answer = client.post(API + path, headers=CHANGES, json=body)
            assert (answer.status_code, answer.json()["what"]) == (
                503,
                f"the home {home} was deleted.",
            )


def test_cost_uses_the_prices_of_the_bench() -> None:
    listed = (
        prices.EVENT,
        prices.WRITE,
        prices.READ,
        prices.QUEUE_REQUEST,
        prices.INVOCATION,
    )
    assert [price for *_, price in PRICES] == [price.per_million for price in listed]
