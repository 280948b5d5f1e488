"""The list of runs: its filters, its pages, and runs that are found by the beginning of an id."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from cerebro.embedded.embedded_engine import EmbeddedEngine
from console.consoles import EngineWithRuns, a_client, a_console, get
from cordyna_core.contract.views.runs import RunView


def test_runs_are_listed_newest_first_with_counts(client: TestClient, failed: RunView) -> None:
    row, *others = get(client, "/runs")["rows"]
    assert (row["run_id"], row["state"], row["params"]) == (failed.run_id, "error", {"top": 7})
    assert row["counts"] == {"error": 1, "blocked": 2, "completed": 2}
    assert row["root_cause"]["task"] == "raw"
    assert (row["server"], row["owner"]) == ("reports", "team-reports")
    assert row["ended_at"] > row["created_at"]
    assert [other["task"] for other in others] == ["orders"]


@pytest.mark.parametrize(
    ("query", "tasks"),
    [
        ({"task": "orders"}, ["orders"]),
        ({"state": "error"}, ["report"]),
        ({"state": "running"}, []),
        ({"state": "cancelled"}, []),
        ({"q": "REP"}, ["report"]),
        ({"q": "nothing like this"}, []),
        ({"label": "why=test"}, ["report", "orders"]),
        ({"label": "why=other"}, []),
        ({"limit": 1}, ["report"]),
        ({"since": "1h"}, ["report", "orders"]),
        ({"since": "2099-01-01"}, []),
        ({"until": "2020-01-01T08:00Z"}, []),
        ({"since": "1d", "until": "2099-01-01", "task": "orders"}, ["orders"]),
    ],
)
def test_runs_are_filtered(
    client: TestClient, failed: RunView, query: dict[str, Any], tasks: list[str]
) -> None:
    assert [row["task"] for row in get(client, "/runs", **query)["rows"]] == tasks


def test_runs_are_found_by_the_beginning_of_an_id(client: TestClient, failed: RunView) -> None:
    (row,) = get(client, "/runs", q=failed.run_id[:6].lower())["rows"]
    assert row["run_id"] == failed.run_id


def test_runs_next_page_continues_after_the_cursor(client: TestClient, failed: RunView) -> None:
    first = get(client, "/runs", limit=1)
    second = get(client, "/runs", limit=1, before=first["next"])
    assert [row["task"] for row in second["rows"]] == ["orders"]
    assert second["next"] is None


def test_runs_of_a_span_stay_in_it_page_by_page(client: TestClient, failed: RunView) -> None:
    first = get(client, "/runs", limit=1)
    assert get(client, "/runs", before=first["next"], until="2020-01-01")["rows"] == []
    assert get(client, "/runs", before=first["next"], since="2099-01-01")["rows"] == []


def test_runs_unknown_cursor_is_not_found(client: TestClient, failed: RunView) -> None:
    assert "is not known" in get(client, "/runs", 404, before="0" * 26)["what"]


def test_runs_cursor_that_no_longer_matches_continues(client: TestClient, failed: RunView) -> None:
    # As after a run that was running when the page before was asked for, and has ended since.
    page = get(client, "/runs", task="orders", before=failed.run_id)
    assert [row["task"] for row in page["rows"]] == ["orders"]


def test_run_is_found_by_the_beginning_of_its_id(client: TestClient, failed: RunView) -> None:
    for path in ("", "/facts", "/structure", "/tasks/raw", "/logs", "/events"):
        short = get(client, f"/runs/{failed.run_id[:9].lower()}{path}")
        whole = get(client, f"/runs/{failed.run_id}{path}")
        assert short.get("run_id", failed.run_id) == failed.run_id
        assert short.keys() == whole.keys()


def test_run_ambiguous_beginning_names_the_runs(failed: RunView, engine: EmbeddedEngine) -> None:
    twins = [engine.runs(1)[0].model_copy(update={"run_id": "0" * 25 + end}) for end in "12"]
    client = a_client(a_console(EngineWithRuns(engine, twins)))
    problem = get(client, "/runs/000", 409)
    assert problem["why"].split("\n") == [run.run_id for run in twins]
    assert problem["next"] == "type more of it"


def test_run_names_the_client_that_invoked_it(engine: EmbeddedEngine, failed: RunView) -> None:
    console = a_console(engine)
    facts = engine.facts(failed.run_id)
    named = facts.excerpt.model_copy(update={"source": "cordyna.client.ana"})
    assert console.row_of(facts.model_copy(update={"excerpt": named})).by == "ana"
    assert console.row_of(facts).by is None
