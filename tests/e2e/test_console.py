"""The console of a cloud, on a person's own machine with their own credentials."""

from typing import Any

from e2e.cloud import Cloud, until
from e2e.console_of_cloud import console_of


def test_console_of_a_cloud_shows_and_commands_runs(cloud: Cloud) -> None:
    with console_of(cloud) as console:
        status, invoked = console.ask("/runs", {"task": "task-3", "params": {"top": 3}})
        assert status == 201, invoked
        run = f"/runs/{invoked['run_id']}"

        head = until(lambda: _ended(console.ask(run)[1]), within_s=60)
        assert head["state"] == "completed"
        assert head["why"]["sentence"] == "task-3 completed."
        assert head["counts"] == {"completed": 4}
        status, page = console.ask("/runs?task=task-3")
        assert (status, page["rows"][0]["run_id"]) == (200, invoked["run_id"])
        status, facts = console.ask(f"{run}/facts")
        assert (status, len(facts["columns"]["step"])) == (200, 4)
        assert console.ask(f"{run}/tasks/task-3")[1]["output"]["day"] == "2026-10-25"

        logs = until(lambda: console.ask(f"{run}/logs?q=report+for")[1]["rows"], within_s=60)
        assert {row["task"] for row in logs} == {"task-3"}

        status, problem = console.ask(f"{run}/retry", {})
        assert status == 409
        assert [each["code"] for each in problem["problems"]] == ["nothing_failed"]
        assert console.ask("/doctor")[0] == 200
        assert console.ask("/crons")[0] == 200


def _ended(head: dict[str, Any]) -> dict[str, Any] | None:
    return head if head["state"] in ("completed", "error") else None
