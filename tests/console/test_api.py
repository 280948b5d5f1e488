"""The API on a real engine: what each address answers, and that it equals what `dyna` shows."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from cerebro.embedded.embedded_engine import EmbeddedEngine
from console.consoles import (
    API,
    BEARER,
    NOW,
    EngineWithRuns,
    a_client,
    a_console,
    an_engine,
    finished,
    get,
    post,
)
from cordyna_cli.wording.why import why_run, why_task
from cordyna_console.answers.catalog import RECENT_RUNS_OF_A_TARGET
from cordyna_core.contract.views.runs import RunView
from cordyna_core.errors import AccessError


def test_me_says_which_cerebro_is_shown(client: TestClient) -> None:
    me = get(client, "/me")
    assert (me["engine"], me["where"], me["by"], me["live"]) == ("embedded", "a-home", "ana", "sse")
    assert me["can"] == {"invoke": "yes", "operate": "yes"}
    assert me["cerebro"]["generation"] >= 1


def test_run_gives_the_reason_that_dyna_why_gives(client: TestClient, failed: RunView) -> None:
    head, why = get(client, f"/runs/{failed.run_id}"), why_run(failed, NOW)
    assert head["why"]["sentence"] == why.sentence
    assert head["why"]["beside"] == list(why.details)
    assert head["why"]["next"]["command"] == why.next_step.command
    assert head["why"]["then"]["command"] == f"dyna retry {failed.run_id}"
    assert (head["size"], head["blocked"]) == (5, 2)


def test_task_run_equals_the_view_of_the_run(client: TestClient, failed: RunView) -> None:
    for task in failed.tasks:
        shown = get(client, f"/runs/{failed.run_id}/tasks/{task.task}")
        for name in ("task", "server", "owner", "state", "reason", "attempt", "params", "output"):
            assert shown[name] == getattr(task, name), (task.task, name)
        assert shown["blocked_by"] == task.blocked_by
        assert shown["upstream"] == task.upstream
        assert len(shown["timeline"]) == len(task.timeline)
        assert shown["why"]["sentence"] == why_task(failed, task, NOW).sentence
        assert {*why_task(failed, task, NOW).details} <= {*shown["why"]["beside"]}


@pytest.mark.parametrize(
    "path",
    [
        f"/runs/{'0' * 26}",
        f"/runs/{'0' * 26}/structure",
        f"/runs/{'0' * 26}/facts",
        f"/runs/{'0' * 26}/live",
        f"/runs/{'0' * 26}/tasks/raw",
        f"/runs/{'0' * 26}/events",
        f"/runs/{'0' * 26}/logs",
        f"/runs/{'0' * 26}/cost",
        f"/runs/{'0' * 26}/replay",
        "/tasks/nothing",
        "/servers/nothing",
        "/nothing",
    ],
)
def test_what_is_not_there_is_not_found_with_a_next_step(client: TestClient, path: str) -> None:
    problem = get(client, path, 404)
    assert problem["what"]
    assert problem["why"]
    assert problem["next"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/runs", {"unknown": "word"}),
        ("/runs", {"limit": 0}),
        ("/runs", {"state": "odd"}),
        ("/runs", {"since": "yesterday"}),
        ("/runs", {"until": "9" * 60}),
        ("/runs", {"before": "short"}),
        ("/runs/not-an-id", {}),
        ("/tasks/a%20b", {}),
        ("/runs", {"task": "no name!"}),
    ],
)
def test_request_that_cannot_be_read_is_refused(
    client: TestClient, path: str, query: dict[str, Any]
) -> None:
    (problem,) = get(client, path, 400, **query)["problems"]
    assert (problem["code"], "Value" in problem["message"]) == ("invalid_request", False)


def test_unknown_task_of_a_run_names_near_ones(client: TestClient, failed: RunView) -> None:
    assert "dyna show" in get(client, f"/runs/{failed.run_id}/tasks/rawr", 404)["next"]
    assert get(client, "/tasks/repord", 404)["next"] == "did you mean report?"


def test_events_are_rows_that_can_be_continued(client: TestClient, failed: RunView) -> None:
    path = f"/runs/{failed.run_id}/events"
    rows = get(client, path)["rows"]
    assert [rows[0]["what"], rows[0]["sender"], rows[0]["receiver"]] == [
        "InvokeTask",
        "client",
        "cerebro",
    ]
    assert rows[0]["is_command"]
    page = get(client, path, limit=3)
    assert [row["seq"] for row in page["rows"]] == [row["seq"] for row in rows[:3]]
    rest = get(client, path, after=page["next"], limit=1000)["rows"]
    assert [row["seq"] for row in rest] == [row["seq"] for row in rows[3:]]
    assert {row["task"] for row in get(client, path, task="raw")["rows"]} == {"raw"}


def test_event_that_cannot_be_read_is_shown(client: TestClient, engine: EmbeddedEngine) -> None:
    engine.send(["not an event"])
    unreadable = [row for row in get(client, "/events")["rows"] if row["what"] == "unreadable"]
    assert unreadable[-1]["text"] == "not an event"


def test_logs_are_searched_over_all_lines(client: TestClient, failed: RunView) -> None:
    path = f"/runs/{failed.run_id}/logs"
    everything = get(client, path)
    assert everything["total"] == everything["matched"] == 21
    found = get(client, path, q="LINE 1", limit=2)
    assert (found["matched"], len(found["rows"])) == (11, 2)
    assert all("line 1" in row["text"] for row in found["rows"])
    more = get(client, path, q="line 1", after=found["next"])
    assert len(more["rows"]) == 9
    assert get(client, path, task="orders", attempt=2)["rows"] == []
    text = client.get(f"{API}{path}/text", headers=BEARER).text
    assert text.count("\n") == 21


def test_tasks_servers_and_graph_agree(client: TestClient) -> None:
    tasks = {row["task"]: row for row in get(client, "/tasks")["rows"]}
    assert tasks["raw"]["downstream"] == ["load"]
    assert [row["task"] for row in get(client, "/tasks", q="rep")["rows"]] == ["report"]
    assert [row["task"] for row in get(client, "/tasks", cron=True)["rows"]] == ["report", "orders"]
    assert {row["task"] for row in get(client, "/tasks", owner="team-stock")["rows"]} == {
        "load",
        "stock",
    }
    assert get(client, "/tasks/raw") == tasks["raw"]
    servers = {row["server"]: row for row in get(client, "/servers")["rows"]}
    assert (servers["stock"]["uses"], servers["stock"]["used_by"]) == (["sales"], ["reports"])
    assert set(get(client, "/servers/sales")["task_names"]) == {"orders", "raw"}
    graph = get(client, "/graph")
    level = dict(zip(graph["task"], graph["level"], strict=True))
    assert level == {"orders": 0, "stock": 0, "orphan": 0, "raw": 1, "load": 2, "report": 3}
    assert graph["unresolved"] == {"nowhere": ["orphan"]}


def test_rejected_declaration_is_shown_until_one_is_accepted() -> None:
    with an_engine() as engine:
        client = a_client(a_console(engine))
        assert get(client, "/servers/sales")["last_rejection"] is None
        engine.send([declared("sales", revision=1, tasks=[{"name": "a", "upstream": ["a"]}])])
        rejection = get(client, "/servers/sales")["last_rejection"]
        assert rejection["problems"][0]["code"] == "cycle"
        engine.send(["not an event with Declaration in it"])
        before = get(client, "/servers/sales")["last_acceptance"]
        engine.send([declared("sales", revision=2, tasks=[{"name": "a"}])])
        after = get(client, "/servers/sales")
        assert after["last_rejection"] is None
        assert after["last_acceptance"]["generation"] > before["generation"]
        assert after["last_acceptance"]["generation"] == get(client, "/graph")["generation"]


def declared(server: str, **fields: Any) -> str:
    """A declaration as it passes the bus."""
    return json.dumps(
        {
            "source": f"cordyna.server.{server}",
            "detail-type": "ServerDeclared",
            "detail": {"server": server, "contract": "1", **fields},
        }
    )


def test_history_lists_the_runs_that_planned_a_task(client: TestClient, failed: RunView) -> None:
    history = get(client, "/tasks/orders/history")
    assert [row["target"] for row in history["rows"]] == ["report", "orders"]
    assert history["rows"][0]["state"] == "completed"
    assert history["rows"][0]["ran"] >= 0


def test_crons_are_listed_by_their_next_tick(client: TestClient) -> None:
    first, second = get(client, "/crons")["rows"]
    assert (first["task"], first["words"]) == ("orders", "every 5 minutes")
    assert (second["task"], second["words"]) == ("report", "Monday to Friday at 07:00")


def test_dead_letters_are_shown_with_their_reason(
    client: TestClient, engine: EmbeddedEngine
) -> None:
    engine.send(['{"detail-type": "Odd"}'])
    (queue,) = get(client, "/dead-letters")["rows"]
    assert queue["messages"] >= 1
    assert queue["letters"][-1]["reason"]
    path = f"/dead-letters/{queue['name']}/redrive"
    assert post(client, path, {"ids": [queue["letters"][-1]["id"]]}, 200) == {"moved": 1}
    assert post(client, path, {"ids": ["nothing"]}, 404)["what"].startswith("there is no dead")
    engine.send(['{"detail-type": "Other"}'])
    (queue,) = get(client, "/dead-letters")["rows"]
    assert post(client, path, {}, 200)["moved"] == queue["messages"]
    assert post(client, "/dead-letters/other/redrive", {}, 404)


def test_doctor_shows_what_the_engine_finds(client: TestClient, engine: EmbeddedEngine) -> None:
    rows = [(row["what"], row["state"]) for row in get(client, "/doctor")["rows"]]
    assert rows == [(finding.what, finding.state) for finding in engine.operations.examine()]
    assert rows


def test_cost_is_called_an_estimate(client: TestClient, failed: RunView) -> None:
    cost = get(client, f"/runs/{failed.run_id}/cost")
    assert cost["estimate"] is True
    assert cost["total"] == pytest.approx(sum(line["dollars"] for line in cost["lines"]))


def test_cost_counts_every_attempt(client: TestClient, engine: EmbeddedEngine) -> None:
    run_id = finished(engine, "report", top=7).run_id
    before = get(client, f"/runs/{run_id}/cost")["tasks"]
    post(client, f"/runs/{run_id}/retry", {}, 202)
    *_, last = engine.follow(run_id)

    cost = get(client, f"/runs/{run_id}/cost")
    assert cost["tasks"] == before + 1 == sum(task.attempt for task in last.tasks)
    assert cost["lines"][0]["count"] == 3 * cost["tasks"]


def test_answer_that_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    first = client.get(f"{API}/graph", headers=BEARER)
    tag = first.headers["etag"]
    again = client.get(f"{API}/graph", headers={**BEARER, "If-None-Match": f'"x", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"{API}/graph", headers={**BEARER, "If-None-Match": '"x"'})
    assert other.status_code == 200


def test_large_answer_is_compressed(client: TestClient) -> None:
    answer = client.get(f"{API}/openapi.json", headers={**BEARER, "Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["openapi"].startswith("3.1")


def test_access_error_becomes_the_buttons_explanation() -> None:
    with an_engine() as engine:
        console = a_console(engine, "aws")
        assert console.permission("invoke") == "unknown"
        with pytest.raises(AccessError), console.trying("invoke"):
            raise AccessError("not allowed.")
        client = a_client(console)
        assert get(client, "/me")["can"] == {"invoke": "no", "operate": "unknown"}
        with console.trying("operate"):
            pass
        assert get(client, "/me")["can"]["operate"] == "yes"


def test_fault_of_the_console_is_a_problem_document(monkeypatch: pytest.MonkeyPatch) -> None:
    with an_engine() as engine:
        client = a_client(a_console(engine))
        client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]

        def broken() -> None:
            raise RuntimeError("out of luck")

        monkeypatch.setattr(engine, "tasks", broken)
        assert "out of luck" in get(client, "/tasks", 500)["what"]


def test_recent_tasks_tell_how_each_ended(client: TestClient, failed: RunView) -> None:
    answer = get(client, "/recent-tasks")
    words = {name: [row["state"] for row in rows] for name, rows in answer["tasks"].items()}
    assert set(words["orders"]) == {"completed"}
    assert (words["raw"][0], words["stock"][0]) == ("error", "completed")
    assert "load" not in words  # it was not sent
    # Other tests of this file have begun runs, too.
    assert failed.run_id in [row["run_id"] for row in answer["tasks"]["raw"]]
    assert get(client, "/recent-tasks") == answer


def test_recent_run_that_was_deleted_is_left_out(engine: EmbeddedEngine, failed: RunView) -> None:
    gone = engine.runs(1)[0].model_copy(update={"run_id": "0" * 26})
    client = a_client(a_console(EngineWithRuns(engine, [gone, *engine.runs(5)])))
    rows = get(client, "/recent-tasks")["tasks"]["raw"]
    assert failed.run_id in [row["run_id"] for row in rows]
    assert gone.run_id not in [row["run_id"] for row in rows]


def test_recent_runs_of_one_target_do_not_fill_the_answer(engine: EmbeddedEngine) -> None:
    (newest,) = engine.runs(1)
    many = [newest.model_copy(update={"run_id": f"{number:026}"}) for number in range(100)]
    other = newest.model_copy(update={"task": "another"})
    client = a_client(a_console(EngineWithRuns(engine, [*many, other])))
    answer = get(client, "/recent-tasks")
    assert answer["looked_at"] == RECENT_RUNS_OF_A_TARGET + 1
    assert answer["tasks"].keys() >= {"orders"}
