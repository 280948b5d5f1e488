"""What importing an entry needs, and what it makes."""

import subprocess
import sys

import pytest

from cerebro.lambdas.runtime import build_runtime

NAMES = ("registry", "planner", "tracker", "timekeeper", "sweeper", "query")


@pytest.mark.parametrize("name", NAMES)
def test_importing_an_entry_needs_no_environment_and_makes_no_client(name: str) -> None:
    told = (
        f"import sys, cerebro.lambdas.{name} as entry; assert callable(entry.handler)\n"
        "from cordyna_core.aws import clients; assert clients._session.cache_info().currsize == 0\n"
        "assert not {'cerebro.embedded', 'typer', 'boto3', 'moto'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", told], env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_face_is_made_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CORDYNA_TABLE": "cordyna",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }.items():
        monkeypatch.setenv(name, value)
    here = build_runtime("planner")
    assert here.log.name == "cerebro"
    assert here.ports.clock() > 1_700_000_000
