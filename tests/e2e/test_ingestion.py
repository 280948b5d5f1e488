"""The example of examples/ingestion/README.md: an event of another system invokes a task."""

import json
from pathlib import Path
from typing import Any

from e2e.cloud import ROOT, Cloud, until
from e2e.team_app import TeamApp


def test_event_of_another_system_becomes_a_run(cloud: Cloud, tmp_path: Path) -> None:
    app = ROOT / "examples" / "ingestion" / "app.py"
    TeamApp(cloud=cloud, file=app, into=tmp_path / "cdk.out").deploy()
    entry = {
        "Source": "shop.uploads",
        "DetailType": "Uploaded",
        "Detail": json.dumps({"object": "incoming/monday.csv"}),
    }
    answer = cloud.aws("events", "put-events", "--entries", json.dumps([entry]))
    assert answer["FailedEntryCount"] == 0

    def completed() -> list[dict[str, Any]]:
        listed = cloud.dyna("runs", "--task", "ingest.object", "--json")
        runs: list[dict[str, Any]] = json.loads(listed.stdout)
        return [run for run in runs if run["state"] == "completed"]

    (run,) = until(completed, within_s=90)
    task = cloud.shown(run["run_id"])["tasks"]["ingest.object"]
    assert task["output"] == {"object": "incoming/monday.csv", "kind": "csv"}
