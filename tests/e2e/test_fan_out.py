"""A wide fan-out on the deployed system, with a server that answers at once."""

from typing import Any

import boto3
from wide_server import TARGET, WideServer

from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.state_updates import TaskStateChanged
from e2e.cloud import Cloud, until
from e2e.scenarios import ended

WIDTH = 500
LEFT_MIN_S = 8.0
"""A command leaves within two seconds of its clock, which is ten seconds."""


def client_of(cloud: Cloud) -> Any:
    def client(service: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=cloud.deployed.endpoint(),
            region_name=cloud.deployed.REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    return client


def test_fan_out_of_500_runs_every_body_once_and_in_time(cloud: Cloud) -> None:
    with WideServer(client_of(cloud)).serving(WIDTH) as received:
        until(lambda: cloud.dyna("plan", TARGET).returncode == 0, within_s=30)
        run_id = run_id_of(TARGET, cloud.put("InvokeTask", {"task": TARGET}))
        assert ended(cloud, run_id, within_s=600) == "completed"

    assert len(received.bodies) == WIDTH + 2
    assert set(received.bodies.values()) == {1}
    assert min(received.seconds_left) >= LEFT_MIN_S
    assert len(cloud.of(RunTask, run_id)) == WIDTH + 2
    assert cloud.of(TaskStateChanged, run_id, state="error") == []
