"""Importing a Lambda handler: it needs no environment and creates nothing."""

import subprocess
import sys

import pytest

from cerebro.lambdas.runtime import build_runtime

HANDLERS = (
    "queue_handlers.registry",
    "queue_handlers.planner",
    "queue_handlers.tracker",
    "queue_handlers.timekeeper",
    "sweeper.handler",
    "query.handler",
)


@pytest.mark.parametrize("handler", HANDLERS)
def test_import_needs_no_environment_and_makes_no_client(handler: str) -> None:
    module, function = handler.split(".")
    code = (
        f"import sys, cerebro.lambdas.{module} as module; assert callable(module.{function})\n"
        "from cordyna_core.aws import clients; assert clients.session.cache_info().currsize == 0\n"
        "assert not {'cerebro.embedded', 'typer', 'boto3', 'moto'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_build_runtime_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CORDYNA_TABLE": "cordyna",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }.items():
        monkeypatch.setenv(name, value)
    runtime = build_runtime("planner")
    assert runtime.log.name == "cerebro"
    assert runtime.ports.clock() > 1_700_000_000
