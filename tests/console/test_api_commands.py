"""The API on a real engine: what is planned, invoked, retried, rehearsed and paused through it."""

from starlette.testclient import TestClient

from cerebro.embedded.embedded_engine import EmbeddedEngine
from console.consoles import get, post
from cordyna_core.contract.views.runs import RunView


def test_plan_lists_problems_of_params_before_sending(client: TestClient) -> None:
    good = post(client, "/plan", {"task": "report", "params": {"top": 3}}, 200)
    assert (len(good["tasks"]), good["problems"]) == (5, [])
    bad = post(client, "/plan", {"task": "report", "params": {"top": "x"}}, 200)
    assert bad["problems"][0]["code"] == "bad_param"
    assert post(client, "/plan", {"task": "orphan"}, 200)["problems"]


def test_invoke_twice_with_a_key_is_one_run(client: TestClient, engine: EmbeddedEngine) -> None:
    body = {"task": "orders", "key": "a form"}
    first = post(client, "/runs", body, 201)
    assert post(client, "/runs", body, 201) == first
    *_, last = engine.follow(first["run_id"])
    assert last.labels == {"via": "console"}


def test_invoke_with_labels_keeps_them(client: TestClient, engine: EmbeddedEngine) -> None:
    body = {"task": "orders", "labels": {"via": "a script", "why": "test"}}
    *_, last = engine.follow(post(client, "/runs", body, 201)["run_id"])
    assert last.labels == body["labels"]


def test_invoke_that_is_refused_lists_every_problem(client: TestClient) -> None:
    problem = post(client, "/runs", {"task": "report", "params": {"top": "x", "odd": 1}}, 409)
    assert {one["code"] for one in problem["problems"]} == {"bad_param", "unknown_param"}
    assert problem["next"] == "dyna plan report"


def test_invocation_beyond_the_bounds_of_the_contract_is_refused(client: TestClient) -> None:
    problem = post(client, "/runs", {"task": "orders", "max_age_s": 10**30}, 409)
    assert problem["problems"][0]["code"] == "malformed_detail"
    assert "max_age_s" in problem["problems"][0]["message"]


def test_retry_and_cancel_answer_with_the_outcome(client: TestClient, failed: RunView) -> None:
    path = f"/runs/{failed.run_id}"
    assert post(client, f"{path}/retry", {"from": ["raw"]}, 202) == {"done": True}
    refused = post(client, f"{path}/retry", {"from": ["orders"]}, 409)
    assert refused["problems"]
    assert post(client, f"/runs/{'0' * 26}/cancel", {}, 404)["next"]


def test_rehearsal_reads_json_and_declares_nothing(
    client: TestClient, engine: EmbeddedEngine
) -> None:
    declared = {"server": "new", "tasks": [{"name": "nowhere"}]}
    view = post(client, "/rehearsals", {"declared": [declared]}, 200)
    assert [task["task"] for task in view["tasks"]] == ["nowhere"]
    assert [task["task"] for task in view["touched"]] == ["orphan"]
    assert "nowhere" not in {task.task for task in engine.tasks()}
    assert post(client, "/rehearsals", {"declared": [{"server": "x", "odd": 1}]}, 400)


def test_cron_is_paused_and_resumed(client: TestClient) -> None:
    assert post(client, "/crons/orders/pause", {}, 204) is None
    paused = {row["task"]: row for row in get(client, "/crons")["rows"]}["orders"]
    assert (paused["paused"], paused["next_at"]) == (True, None)
    assert get(client, "/tasks/orders")["paused"]
    assert post(client, "/crons/orders/resume", {}, 204) is None
    assert not get(client, "/tasks/orders")["paused"]
    assert post(client, "/crons/orders/resume", {}, 404)["next"] == "dyna cron ls"
    assert post(client, "/crons/raw/pause", {}, 404)["next"] == "dyna cron ls"
