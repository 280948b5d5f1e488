"""The restore drill of docs/restoring.md, command by command."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from cordyna_core.contract.ids import run_id_of
from e2e.cloud import BUS, ROOT, Cloud, until
from e2e.scenarios import ended

RESTORED = "cordyna-restored"


def table_of(cloud: Cloud) -> str:
    """The table that cerebro works on."""
    name = "/cordyna/local/table"
    return str(cloud.aws("ssm", "get-parameter", "--name", name)["Parameter"]["Value"])


def swap_in(cloud: Cloud, table: str) -> None:
    """Step 4: deploy cerebro on another table."""
    app = cloud.deployed.ASSEMBLY.parent / "restored.cdk.out"
    values = cloud.deployed.options_of(cloud.deployed.context() | {"table": table})
    cloud.deployed.cdk("synth", "--quiet", "--output", str(app), *values)
    stacks = (f"{BUS}-cerebro", f"{BUS}-operations")
    cloud.deployed.cdk("deploy", "--app", str(app), *stacks, "--require-approval", "never")


def test_restore_drill_keeps_what_was_there(cloud: Cloud, tmp_path: Path) -> None:
    before = run_id_of("task-1", cloud.put("InvokeTask", {"task": "task-1"}))
    assert ended(cloud, before) == "completed"
    original = table_of(cloud)
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    restore = ["--source-table-name", original, "--target-table-name", RESTORED]
    cloud.aws("dynamodb", "restore-table-to-point-in-time", *restore, "--restore-date-time", now)
    cloud.aws("dynamodb", "wait", "table-exists", "--table-name", RESTORED)
    after = run_id_of("task-1", cloud.put("InvokeTask", {"task": "task-1"}))
    assert ended(cloud, after) == "completed"
    expiry = "Enabled=true,AttributeName=expires_at"
    cloud.aws(
        *("dynamodb", "update-time-to-live", "--table-name", RESTORED),
        *("--time-to-live-specification", expiry),
    )
    cloud.aws(
        *("dynamodb", "update-continuous-backups", "--table-name", RESTORED),
        *("--point-in-time-recovery-specification", "PointInTimeRecoveryEnabled=true"),
    )
    cloud.aws("dynamodb", "update-table", "--table-name", RESTORED, "--deletion-protection-enabled")

    # The tests after this one work on the restored table; the stage `local` keeps no other.
    swap_in(cloud, RESTORED)

    assert table_of(cloud) == RESTORED
    assert cloud.shown(before)["state"] == "completed"
    assert cloud.dyna("show", after).returncode == 3, "it was invoked after the moment"
    payload = tmp_path / "payload"
    payload.write_text(json.dumps({"roll_call": True}))
    sweeper = ["--function-name", f"{BUS}-sweeper", "--payload", f"fileb://{payload}"]
    cloud.aws("lambda", "invoke", *sweeper, os.devnull)
    until(lambda: cloud.dyna("do", "task-3").returncode == 0, within_s=60)


def test_restore_page_has_the_commands_of_the_drill() -> None:
    page = (ROOT / "docs" / "restoring.md").read_text()
    for command in (
        "restore-table-to-point-in-time",
        "wait table-exists",
        "update-time-to-live",
        "update-continuous-backups",
        "--deletion-protection-enabled",
        "cordyna:table=cordyna-restored",
        "roll_call",
    ):
        assert command in page
