"""The emulator without `infra/local_cloud/patched_emulator.py`: what needs no patch works there,
too.

So cordyna does not depend on a patch where AWS does not need one.
"""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cordyna_core.contract.ids import run_id_of
from e2e.cloud import BUS, ROOT, free_port, until

Run = subprocess.CompletedProcess[str]


class Unpatched:
    """A separate emulator, reached by the two command lines."""

    def __init__(self, folder: Path) -> None:
        self._endpoint = f"http://127.0.0.1:{(port := free_port())}"
        own = {
            "CORDYNA_CLOUD": str(folder),
            "GATEWAY_PORT": str(port),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        keys = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        ignored = ("AWS_ENDPOINT_URL", "CORDYNA_CLOUD_ENDPOINT_URL")
        self._environment = (
            {name: value for name, value in os.environ.items() if name not in ignored} | own | keys
        )

    def make(self, *words: str) -> None:
        done = self._run(
            sys.executable, str(ROOT / "infra" / "local_cloud" / "cloud.py"), *words, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def dyna(self, *words: str) -> Run:
        return self._run(str(Path(sys.executable).with_name("dyna")), "--profile", "local", *words)

    def put(self, detail_type: str, detail: dict[str, str]) -> None:
        entry = {
            "EventBusName": BUS,
            "Source": "cordyna.client",
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
        }
        aws = str(ROOT / ".cloud" / "venv" / "bin" / "aws")
        done = self._run(
            aws,
            "--endpoint-url",
            self._endpoint,
            "events",
            "put-events",
            "--entries",
            json.dumps([entry]),
        )
        assert done.returncode == 0, done.stderr

    def _run(self, *command: str, timeout: float = 120) -> Run:
        return subprocess.run(
            command,
            env=self._environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )


@pytest.fixture(scope="module")
def unpatched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unpatched]:
    unpatched = Unpatched(tmp_path_factory.mktemp("unpatched"))
    try:
        unpatched.make("start", "--unpatched")
        yield unpatched
    finally:
        unpatched.make("stop")


def test_event_of_the_aws_cli_runs_task_3_unpatched(
    unpatched: Unpatched,
) -> None:
    key = f"unpatched {uuid.uuid4()}"
    unpatched.put("InvokeTask", {"task": "task-3", "key": key})

    def completed() -> bool:
        return any(
            run["run_id"] == run_id_of("task-3", key) and run["state"] == "completed"
            for run in json.loads(unpatched.dyna("runs", "--json").stdout)
        )

    until(completed, within_s=60)


def test_refusal_is_reported_without_the_log_of_events(unpatched: Unpatched) -> None:
    refused = unpatched.dyna("do", "undeclared-task")
    assert refused.returncode == 3
    assert "no server declares it" in refused.stderr
