"""Incidents in DynamoDB beyond the Store contract: their expiry, and how many the head lists."""

from dataclasses import replace

import pytest

from adapters.deployed import Deployed, deployed
from cerebro.adapters.aws import dynamodb_incidents
from cerebro.testing.examples import NOW, a_declaration, accept
from cerebro.testing.incident_contract import DEADLINE, INCIDENT

__all__ = ["deployed"]

pytestmark = pytest.mark.usefixtures("moto")

LONG_AFTER = NOW + 400 * 86_400


def test_expired_incident_is_written_anew_while_its_item_remains(deployed: Deployed) -> None:
    store = deployed.process()
    closed = replace(INCIDENT, closed_at=NOW + 5, closed_by="event-3", version=2)
    store.write_incident(INCIDENT, None)
    store.write_incident(closed, INCIDENT)
    assert store.write_incident(INCIDENT, None) == closed

    later = deployed.process(now=LONG_AFTER)
    assert (later.read_incident(INCIDENT.id), later.incidents()) == (None, [])
    assert later.write_incident(INCIDENT, None) is None
    assert later.incidents() == [INCIDENT]


def test_closed_incident_is_kept_from_its_end_on(deployed: Deployed) -> None:
    store = deployed.process()
    closed = replace(INCIDENT, closed_at=LONG_AFTER, closed_by="event-3", version=2)
    store.write_incident(INCIDENT, None)
    store.write_incident(closed, INCIDENT)
    for days, kept in ((89, [closed]), (91, [])):
        assert deployed.process(now=LONG_AFTER + days * 86_400).incidents() == kept


def test_write_over_an_incident_that_began_anew_is_refused(deployed: Deployed) -> None:
    """1. A handler reads an incident, and is paused. 2. It expires, and another one is written."""
    store, later = deployed.process(), deployed.process(now=LONG_AFTER)
    closed = replace(INCIDENT, closed_at=NOW + 5, closed_by="event-3", version=2)
    store.write_incident(INCIDENT, None)
    store.write_incident(closed, INCIDENT)
    anew = replace(INCIDENT, opened_by="event-9")
    assert later.write_incident(anew, None) is None
    assert store.write_incident(replace(closed, version=3), closed) == anew


def test_open_incident_never_expires(deployed: Deployed) -> None:
    deployed.process().write_incident(INCIDENT, None)
    assert deployed.process(now=LONG_AFTER).incidents() == [INCIDENT]


def test_open_deadline_expires_as_runs_do(deployed: Deployed) -> None:
    deployed.process().write_deadline(DEADLINE, None)
    for days, kept in ((89, [DEADLINE]), (91, [])):
        now = DEADLINE.due + days * 86_400
        assert deployed.process(now=now).open_deadlines() == kept


def test_full_head_lists_no_more_marks_and_loses_them(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamodb_incidents, "MARKS_MAX", 2)
    store = deployed.process()
    accept(store, a_declaration("server-a", "x"))
    for mark in ("failed:a", "failed:b", "failed:c"):
        store.mark_cause(mark, on=True)
    assert store.read_graph().watched == {"failed:a", "failed:b"}
    store.mark_cause("failed:a", on=False)
    store.mark_cause("failed:c", on=True)
    assert store.read_graph().watched == {"failed:b", "failed:c"}


@pytest.mark.parametrize("before", [(), ("failed:a",)])
def test_mark_of_another_process_meanwhile_is_kept(
    deployed: Deployed, before: tuple[str, ...]
) -> None:
    store, other = deployed.process(), deployed.process()
    accept(store, a_declaration("server-a", "x"))
    for mark in before:
        store.mark_cause(mark, on=True)
    marked_meanwhile = iter(["failed:b"])

    def mark_meanwhile(**_: object) -> None:
        for mark in marked_meanwhile:
            other.mark_cause(mark, on=True)

    deployed.dynamodb.meta.events.register("after-call.dynamodb.GetItem", mark_meanwhile)
    store.mark_cause("failed:c", on=True)
    assert store.read_graph().watched == {*before, "failed:b", "failed:c"}
