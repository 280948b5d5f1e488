"""Incidents of the API: listed, shown one by one, and snoozed."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from cerebro.embedded.embedded_engine import EmbeddedEngine
from console.consoles import a_client, a_console, an_engine, finished, get, post
from cordyna_core.contract.incidents import incident_id

RAW = incident_id("failed", "raw")


@pytest.fixture(scope="module")
def engine() -> Iterator[EmbeddedEngine]:
    with an_engine() as engine:
        finished(engine, "report", top=7)
        yield engine


@pytest.fixture(scope="module")
def client(engine: EmbeddedEngine) -> TestClient:
    return a_client(a_console(engine))


def test_failure_is_listed_with_what_waits(client: TestClient) -> None:
    (row,) = get(client, "/incidents")["rows"]
    assert (row["incident"], row["kind"], row["task"]) == (RAW, "failed", "raw")
    assert (row["owner"], row["state"]) == ("team-sales", "open")
    assert [task["task"] for task in row["blocked"]] == ["load", "report"]
    assert "commands" not in row


def test_incidents_of_an_owner_are_his_own(client: TestClient) -> None:
    assert len(get(client, "/incidents", owner="team-sales")["rows"]) == 1
    assert get(client, "/incidents", owner="team-stock", closed=True)["rows"] == []


def test_one_incident_equals_its_row(client: TestClient) -> None:
    (row,) = get(client, "/incidents", closed=True)["rows"]
    assert get(client, f"/incidents/{RAW}") == row


def test_unknown_incident_is_not_found(client: TestClient) -> None:
    answer = get(client, f"/incidents/{'0' * 26}", 404)
    assert "there is no incident" in answer["what"]


def test_snooze_is_shown_and_repeated_without_harm(client: TestClient) -> None:
    body = {"for_s": 3600, "command_id": "c-1"}
    assert post(client, f"/incidents/{RAW}/snooze", body, 204) is None
    until = get(client, f"/incidents/{RAW}")["snoozed_until"]
    assert until is not None
    assert post(client, f"/incidents/{RAW}/snooze", body, 204) is None
    assert get(client, f"/incidents/{RAW}")["snoozed_until"] == until


def test_snooze_of_an_unknown_incident_is_refused(client: TestClient) -> None:
    body = {"for_s": 3600, "command_id": "c-2"}
    answer = post(client, f"/incidents/{'0' * 26}/snooze", body, 409)
    assert answer["problems"][0]["code"] == "unknown_incident"


@pytest.mark.parametrize("for_s", [0, 59, 40 * 86_400, "soon"])
def test_snooze_for_a_wrong_time_is_not_valid(client: TestClient, for_s: object) -> None:
    post(client, f"/incidents/{RAW}/snooze", {"for_s": for_s, "command_id": "c-3"}, 400)
