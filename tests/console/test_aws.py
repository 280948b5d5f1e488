"""The console of a cerebro on AWS, before the real cerebro in memory."""

from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from cli_aws.cloud_in_memory import SERVER, MemoryCloud, refused
from cli_aws.test_aws_engine import a_world, invoked
from console.consoles import API, CHANGES, a_client, a_console, get
from cordyna_cli.wording.why import why_run
from cordyna_console.answers.reasons import WHO_CANCELLED
from cordyna_core.contract.commands import CancelRun
from cordyna_core.contract.time import utc


def a_cloud_console(**options: bool) -> tuple[TestClient, Any, MemoryCloud]:
    engine, cloud = a_world(**options)
    cloud.answers["scheduler.list_schedules"] = lambda **_: {"Schedules": []}
    return a_client(a_console(engine, "aws")), engine, cloud


def test_run_in_the_cloud_is_shown_as_dyna_shows_it() -> None:
    client, engine, cloud = a_cloud_console()
    run_id = invoked(engine)
    cloud.report(run_id, "x", "error")
    head, view = get(client, f"/runs/{run_id}"), engine.run(run_id)
    assert head["why"]["sentence"] == why_run(view, utc(cloud.now)).sentence
    assert head["counts"] == {"error": 1, "blocked": 1}
    assert get(client, f"/runs/{run_id}/structure")["upstream_steps"] == [[], [1]]
    facts = get(client, f"/runs/{run_id}/facts")
    assert (facts["columns"]["step"], facts["words"]) == ([0], [["error", "failed"]])
    assert get(client, f"/runs/{run_id}/tasks/y")["blocked_by"] == ["x"]
    assert get(client, f"/runs/{run_id}/tasks/nothing", 404)["next"]
    assert [row["run_id"] for row in get(client, "/runs?state=failing")["rows"]] == [run_id]


def test_cancelled_run_in_the_cloud_says_who_knows_more() -> None:
    client, engine, _ = a_cloud_console()
    other, run_id = invoked(engine), invoked(engine)
    assert engine.command(CancelRun(run_id=run_id)) is None
    for path in (f"/runs/{run_id}", f"/runs/{run_id}/facts", f"/runs/{run_id}/tasks/x"):
        assert WHO_CANCELLED in get(client, path)["why"]["beside"]
    assert WHO_CANCELLED not in get(client, f"/runs/{other}")["why"]["beside"]


def test_changed_rows_differ_from_the_last_reading() -> None:
    client, engine, cloud = a_cloud_console()
    run_id = invoked(engine)
    live = client.app.state.live_runs  # type: ignore[attr-defined]
    first = live.since(run_id, None).answer
    assert first.columns.tasks == [0]
    live._runs[run_id].pause_s = 0.0
    cloud.report(run_id, "x", "completed")
    second = live.since(run_id, first.cursor).answer
    assert second.columns.tasks == [0, 1]
    live._runs[run_id].pause_s = 0.0
    assert live.since(run_id, second.cursor).answer.columns.tasks == []


def test_catalog_of_a_cloud_is_asked_for_by_queries() -> None:
    client, _, cloud = a_cloud_console()
    assert [row["task"] for row in get(client, "/tasks")["rows"]] == ["x", "y"]
    assert [row["server"] for row in get(client, "/servers")["rows"]] == [SERVER]
    assert get(client, "/graph")["upstream"] == [[], [0]]
    assert get(client, "/me")["cerebro"]["generation"] == 1
    assert {call for call in cloud.calls if call.startswith("logs")} == set()


def test_plan_in_a_cloud_lists_problems_of_params() -> None:
    client, _, _ = a_cloud_console()
    body = {"task": "y", "params": {"odd": 1}}
    answer = client.post(f"{API}/plan", headers=CHANGES, json=body)
    assert [problem["code"] for problem in answer.json()["problems"]] == ["unknown_param"]


def test_button_that_is_not_allowed_says_so_afterwards() -> None:
    client, _, cloud = a_cloud_console()
    assert get(client, "/me")["can"]["invoke"] == "unknown"

    def deny(**_: Any) -> Any:
        raise refused("AccessDeniedException", "PutEvents")

    cloud.put_events = deny  # type: ignore[method-assign,assignment]
    answer = client.post(f"{API}/runs", headers=CHANGES, json={"task": "y"})
    assert answer.status_code == 403
    assert answer.json()["next"]
    assert get(client, "/me")["can"]["invoke"] == "no"


def test_engine_in_the_cloud_waits_until_the_console_ends() -> None:
    engine, cloud = a_world()
    left = iter([False, False, True])
    engine.stay_up(lambda: next(left))
    assert len(cloud.slept) == 2


def test_replay_that_a_cloud_cannot_do_is_a_clear_refusal() -> None:
    client, engine, _ = a_cloud_console()
    problem = get(client, f"/runs/{invoked(engine)}/replay", 409)
    assert "cannot be replayed" in problem["what"]


@pytest.mark.parametrize("path", ["/events", "/dead-letters", "/doctor"])
def test_service_that_fails_is_a_problem_with_a_next_step(path: str) -> None:
    client, _, cloud = a_cloud_console()
    cloud.answers = {}
    cloud.answers = _AllDenied()
    problem = get(client, path, 403)
    assert problem["what"]


class _AllDenied(dict[str, Any]):
    def __missing__(self, key: str) -> Any:
        def deny(**_: Any) -> Any:
            raise refused("AccessDeniedException", key)

        return deny


def test_addresses_of_a_cloud_name_account_region_and_bus() -> None:
    engine, _ = a_world()
    place = engine.location().place
    assert place == "123456789012.eu-west-1.cordyna"
    console = a_console(engine, "aws")
    assert get(a_client(console), "/me")["place"] is None
    named = replace(console, identity=replace(console.identity, place=place))
    assert get(a_client(named), "/me")["place"] == place
