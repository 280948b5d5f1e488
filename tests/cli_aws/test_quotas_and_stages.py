"""`dyna` in an account: its quotas, and the names of a stage's resources."""

import json
from dataclasses import replace

from cli_aws.cloud_in_memory import NOON, SERVER, MemoryCloud
from cli_aws.test_aws_engine import PLACE, a_world, an_engine, invoked
from cli_aws.test_cloud_operations import (
    Sqs,
    a_message,
    an_event,
    examined,
    quotas_of,
    unreserved,
)
from cordyna_cli.aws.quotas import QUOTAS
from cordyna_core.contract.time import utc


def test_examine_names_quotas_that_are_too_small() -> None:
    cloud = MemoryCloud()
    cloud.answers["service-quotas.list_service_quotas"] = quotas_of(10)
    cloud.answers["lambda.get_account_settings"] = unreserved(10)
    found = examined(cloud)
    for quota in QUOTAS:
        assert (found[quota.name].state, found[quota.name].detail) == ("worth a look", "10")
        assert "request an increase" in found[quota.name].next
    assert found["unreserved Lambda concurrency"].state == "worth a look"


def test_examine_of_an_emulator_asks_for_no_quotas() -> None:
    cloud = MemoryCloud()
    cloud.is_emulator = True
    found = examined(cloud)
    assert "not checked" in found["Lambda concurrency"].detail
    assert not any("quotas" in call or "account_settings" in call for call in cloud.calls)


def test_examine_without_listed_quotas_says_where_they_are() -> None:
    cloud = MemoryCloud()
    cloud.answers["service-quotas.list_service_quotas"] = lambda **_: {"Quotas": []}
    assert "Service Quotas" in examined(cloud)["PutEvents per second"].next


def test_resources_of_servers_are_prefixed_outside_production() -> None:
    cloud = MemoryCloud()
    cloud.declare("x")
    letters = [a_message(an_event("RunTask"))]
    Sqs(cloud, server_a_dead_letters=letters, staging_server_a_dead_letters=letters * 2)
    staging = replace(PLACE, stage="staging")
    (queue,) = an_engine(cloud, staging).operations.dead_letters()
    assert (queue.name, queue.messages) == ("staging-server-a-dead-letters", 2)


def test_log_of_another_stage_is_found_by_its_prefix() -> None:
    _, cloud = a_world()
    staging = an_engine(cloud, replace(PLACE, stage="staging"))
    run_id = invoked(staging)
    group = f"/aws/lambda/staging-{SERVER}"
    line = {"run_id": run_id, "task": "y", "attempt": 1, "stream": "stdout", "message": "printed"}
    line["timestamp"] = utc(NOON).isoformat()
    cloud.groups[group] = [{"timestamp": int(NOON * 1000), "message": json.dumps(line)}]
    assert [line.text for line in staging.logs(run_id)] == ["printed"]
