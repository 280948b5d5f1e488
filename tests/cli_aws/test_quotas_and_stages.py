"""`dyna` in an account: its quotas, and the names of a stage's resources."""

import json
from dataclasses import replace
from typing import Any

import pytest

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
from cordyna_cli.aws.quotas import QUOTAS, UNRESERVED_MIN, Quota, shortfall
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


@pytest.mark.parametrize("quota", QUOTAS, ids=lambda quota: quota.name)
def test_quota_as_large_as_needed_suffices(quota: Quota) -> None:
    assert shortfall(quota, quota.least) is None
    assert "request an increase" in (shortfall(quota, quota.least - 1) or "")


@pytest.mark.parametrize(
    ("free", "state"), [(UNRESERVED_MIN, "well"), (UNRESERVED_MIN - 1, "worth a look")]
)
def test_examine_counts_unreserved_concurrency(free: int, state: str) -> None:
    cloud = MemoryCloud()
    cloud.answers["lambda.get_account_settings"] = unreserved(free)
    assert examined(cloud)["unreserved Lambda concurrency"].state == state


@pytest.mark.parametrize("answered_after_s", [0.0, 6.0])
def test_slow_answer_is_no_clock_that_differs(answered_after_s: float) -> None:
    """Cerebro took the time at any moment of the 6 s that its answer took."""
    cloud = MemoryCloud()
    query = cloud.answers["lambda.invoke"]

    def slow(**request: Any) -> Any:
        cloud.now += answered_after_s
        answer = query(**request)
        cloud.now += 6.0 - answered_after_s
        return answer

    cloud.answers["lambda.invoke"] = slow
    assert examined(cloud)["clocks"].state == "well"


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


def test_output_of_a_run_is_in_order_and_its_own() -> None:
    """1. Functions and containers have logs of their own. 2. A task may print the id of any run."""
    _, cloud = a_world()
    engine = an_engine(cloud)
    run_id, other = invoked(engine), "0" * 26
    lines = ((3, run_id, "third"), (1, run_id, "first"), (2, other, f"after {run_id}"))
    for number, (second, of_run, text) in enumerate(lines):
        line = {"run_id": of_run, "task": "y", "attempt": 1, "stream": "stdout", "message": text}
        line["timestamp"] = utc(NOON + second).isoformat()
        at = int((NOON + second) * 1000)
        group = (f"/aws/lambda/{SERVER}", f"/cordyna/{SERVER}")[number % 2]
        cloud.groups.setdefault(group, []).append({"timestamp": at, "message": json.dumps(line)})
    assert [line.text for line in engine.logs(run_id)] == ["first", "third"]
