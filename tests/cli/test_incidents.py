"""dyna incidents, why INCIDENT, snooze."""

import json
from datetime import timedelta
from typing import Any, get_args

import pytest

from cerebro.core.incidents.incident import Incident
from cerebro.core.incidents.wording import next_command
from cli.fake_engine import FakeEngine
from cli.run_builders import RUN, at
from cli.run_dyna import NOW, dyna
from cordyna_cli.engine import Refused
from cordyna_core.contract.base import ErrorDescription, Problem
from cordyna_core.contract.incidents import BlockedTask, IncidentKind, SnoozeIncident
from cordyna_core.contract.views.incidents import IncidentView

LOAD = "7M1Z7Q4GJ0S2F8R6Y3K5D9W1XA"
SILENT = "7M9Z7Q4GJ0S2F8R6Y3K5D9W1XB"


def an_incident(**fields: Any) -> IncidentView:
    return IncidentView.model_validate(
        {
            "incident": LOAD,
            "state": "open",
            "kind": "failed",
            "task": "load",
            "server": "sales",
            "owner": "team-sales",
            "run_id": RUN,
            "opened_at": at(4),
            "blocked": [BlockedTask(task="report", server="figures", owner="team-figures")],
            "next": f"dyna logs {RUN} load",
            "summary": "load failed: ValueError: no such day",
            "commands": ["c"],
            **fields,
        }
    )


def a_silent_server(**fields: Any) -> IncidentView:
    return an_incident(
        incident=SILENT,
        kind="unresponsive",
        task=None,
        server="stock",
        owner=None,
        blocked=[],
        summary="server stock does not acknowledge commands",
        next="dyna servers",
        **fields,
    )


@pytest.mark.parametrize("kind", get_args(IncidentKind))
def test_next_command_of_every_kind_can_be_typed(kind: IncidentKind) -> None:
    incident = Incident(
        id=LOAD,
        kind=kind,
        task="load",
        server="sales",
        owner=None,
        opened_at=0.0,
        opened_by="event",
        published_at=0.0,
        run_id=RUN,
    )
    program, *words = next_command(incident).split()
    assert program == "dyna"
    result = dyna(*words, engine=FakeEngine())
    assert "Option" not in result.err, result.err
    assert "Usage" not in result.err, result.err


def test_incidents_show_owner_cause_and_what_waits() -> None:
    result = dyna("incidents", engine=FakeEngine(known_incidents=[an_incident()]))

    assert result.out.splitlines() == [
        (
            "incident                    owner       opened     what"
            "                                  waits for it"
        ),
        f"{LOAD}  team-sales  6.0 s ago  load failed: ValueError: no such day  report",
    ]
    assert result.err == f"  next: dyna why {LOAD}\n"


def test_incidents_name_the_first_open_one_as_next() -> None:
    closed = a_silent_server(state="closed", closed_at=at(9))
    result = dyna("incidents", "--all", engine=FakeEngine(known_incidents=[closed, an_incident()]))
    assert result.err == f"  next: dyna why {LOAD}\n"


def test_incidents_that_are_all_closed_name_the_newest() -> None:
    closed = a_silent_server(state="closed", closed_at=at(9))
    result = dyna("incidents", "--all", engine=FakeEngine(known_incidents=[closed]))
    assert result.err == f"  next: dyna why {SILENT}\n"


def test_incidents_json_has_the_fields_of_the_event() -> None:
    engine = FakeEngine(known_incidents=[an_incident(), a_silent_server()])

    rows = json.loads(dyna("incidents", "--json", engine=engine).out)

    assert [row["incident"] for row in rows] == [LOAD, SILENT]
    assert rows[0]["blocked"] == [
        {"task": "report", "server": "figures", "owner": "team-figures", "due": None}
    ]
    assert "commands" not in rows[0]


def test_incidents_of_an_owner_are_those_to_act_on() -> None:
    engine = FakeEngine(known_incidents=[an_incident(), a_silent_server()])

    rows = json.loads(dyna("incidents", "--owner", "team-sales", "--json", engine=engine).out)

    assert [row["incident"] for row in rows] == [LOAD]


def test_incidents_of_an_owner_who_waits_say_nothing_is_to_do() -> None:
    engine = FakeEngine(known_incidents=[an_incident()])

    result = dyna("incidents", "--owner", "team-figures", engine=engine)

    assert result.err == (
        "no incident of team-figures\n"
        "1 incident of other owners holds up tasks of team-figures; nothing to do\n"
        "  next: dyna incidents\n"
    )


def test_incidents_without_any_say_so() -> None:
    assert dyna("incidents", engine=FakeEngine()).err == "no incident\n"


def test_closed_and_snoozed_incidents_are_marked() -> None:
    closed = an_incident(state="closed", closed_at=at(9))
    snoozed = a_silent_server(snoozed_until=NOW + timedelta(hours=1))
    engine = FakeEngine(known_incidents=[closed, snoozed])

    assert "closed" not in dyna("incidents", engine=engine).out
    result = dyna("incidents", "--all", engine=engine)
    assert "load failed: ValueError: no such day (closed 1.0 s ago)" in result.out
    assert "(snoozed until " in result.out


def test_why_of_an_incident_tells_whose_it_is_and_what_to_type() -> None:
    error = ErrorDescription(type="ValueError", message="no such day", traceback="Traceback: x")
    blocked = [
        BlockedTask(task=f"r{n}", server="figures", owner="team-figures", due=at(60))
        for n in range(12)
    ]
    engine = FakeEngine(known_incidents=[an_incident(error=error, times=3, blocked=blocked)])

    lines = dyna("why", LOAD[:6].lower(), engine=engine).out.splitlines()

    assert lines[:3] == [
        "✗ load failed: ValueError: no such day",
        "  opened 6.0 s ago",
        "  owner: team-sales (server sales)",
    ]
    assert lines[3].startswith("  r0 (team-figures, due ")
    assert lines[-4:] == [
        "  and 2 more wait for it",
        "    Traceback: x",
        f"  next: dyna logs {RUN} load",
        f"  later: dyna snooze {LOAD} 2h",
    ]


def test_why_of_a_closed_incident_has_no_snooze() -> None:
    engine = FakeEngine(known_incidents=[a_silent_server(state="closed", closed_at=at(9))])

    out = dyna("why", SILENT, engine=engine).out

    assert "snooze" not in out
    assert "owner: none is declared (server stock)" in out


def test_why_of_an_incident_as_json_is_one_object() -> None:
    engine = FakeEngine(known_incidents=[an_incident()])

    assert dyna("why", LOAD, "--json", engine=engine).json["incident"] == LOAD


def test_snooze_sends_until_when() -> None:
    engine = FakeEngine(known_incidents=[an_incident()])

    result = dyna("snooze", LOAD[:5], "2h", engine=engine)

    assert engine.commands == [SnoozeIncident(incident=LOAD, until=NOW + timedelta(hours=2))]
    assert result.out.startswith(f"incident {LOAD} is snoozed until ")


def test_snooze_that_is_refused_ends_with_the_reason() -> None:
    problem = Problem(code="until_too_late", message="more than 30 days ahead")
    engine = FakeEngine(known_incidents=[an_incident()], refuses=Refused(LOAD, (problem,)))

    result = dyna("snooze", LOAD, "40d", engine=engine)

    assert result.status == 1
    assert "more than 30 days ahead" in result.err


def test_snooze_of_no_time_names_what_ends_a_snooze() -> None:
    problem = Problem(code="until_has_passed", message="it has passed: give a later time")
    engine = FakeEngine(known_incidents=[an_incident()], refuses=Refused(LOAD, (problem,)))

    result = dyna("snooze", LOAD, "0s", engine=engine)

    assert result.status == 1
    assert result.err.splitlines()[-1].startswith(f"  next: dyna snooze {LOAD} 10s ")


def test_snooze_of_no_incident_is_not_found() -> None:
    result = dyna("snooze", "ZZZZ", "2h", engine=FakeEngine())

    assert (result.status, 'there is no incident "ZZZZ"' in result.err) == (3, True)


def test_snooze_of_an_ambiguous_beginning_lists_them() -> None:
    engine = FakeEngine(known_incidents=[an_incident(), a_silent_server()])

    result = dyna("snooze", "7M", "2h", engine=engine)

    assert result.status == 1
    assert LOAD in result.err
    assert SILENT in result.err


@pytest.mark.parametrize("span", ["soon", "-2h", ""])
def test_snooze_for_no_duration_is_a_usage_error(span: str) -> None:
    engine = FakeEngine(known_incidents=[an_incident()])

    assert dyna("snooze", LOAD, "--", span, engine=engine).status == 2
