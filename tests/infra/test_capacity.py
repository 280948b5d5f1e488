"""Capacity of cerebro's functions: maxima, reservations, provisioned pollers."""

import re
from pathlib import Path
from typing import Any

import pytest

from architecture.repository import ROOT
from cerebro.lambdas.runtime import MESSAGE_MIN_MS
from cordyna_infra.capacity import MAX_CONCURRENCY
from cordyna_infra.handlers import BATCH_SIZE, QUEUE_FED
from infra.conftest import synthesized
from infra.templates import Template, listed


def sources(template: Template) -> dict[str, dict[str, Any]]:
    """The event sources of cerebro by the handler that they feed."""
    return {
        source["FunctionName"]["Ref"].rstrip("0123456789ABCDEF").lower(): source
        for source in template.all("AWS::Lambda::EventSourceMapping").values()
    }


def test_queues_have_a_maximum_and_reserve_nothing(stacks: dict[str, Template]) -> None:
    cerebro = stacks["cerebro"]
    maxima = {
        name: source["ScalingConfig"]["MaximumConcurrency"]
        for name, source in sources(cerebro).items()
    }
    assert maxima == MAX_CONCURRENCY
    for function in cerebro.all("AWS::Lambda::Function").values():
        assert "ReservedConcurrentExecutions" not in function


def test_rules_of_the_bus_leave_room_for_servers(stacks: dict[str, Template]) -> None:
    """300 rules on one bus (Amazon EventBridge quotas); a rule of a schedule is on another."""
    own = [
        rule
        for rule in stacks["cerebro"].all("AWS::Events::Rule").values()
        if "EventPattern" in rule
    ]
    limits = (ROOT / "docs" / "limits.md").read_text()
    listed_as = re.search(r"rules on one bus: (\d+) of cerebro.*\| (\d+) servers", limits)
    assert listed_as is not None
    # EventBridge gives each archive a rule of its own.
    archives = len(stacks["operations"].all("AWS::Events::Archive"))
    assert listed_as.groups() == (str(len(own)), str(300 - len(own) - archives))


@pytest.mark.parametrize("name", QUEUE_FED)
def test_function_has_time_to_begin_a_batch(name: str) -> None:
    """Of ten whole parts of wide fan-outs: 330 calls each, one after the other, of 5 ms."""
    begins_for_ms = QUEUE_FED[name].timeout_s * 1000 - MESSAGE_MIN_MS
    assert begins_for_ms >= BATCH_SIZE * 330 * 5


def test_capacity_follows_its_contexts(tmp_path: Path) -> None:
    cerebro = synthesized(
        tmp_path,
        max_concurrency="tracker=200,planner=30",
        reserved_concurrency="tracker=250",
        provisioned_pollers="tracker=4",
    )["cerebro"]
    by_handler = sources(cerebro)
    assert "ScalingConfig" not in by_handler["tracker"]
    assert by_handler["tracker"]["ProvisionedPollerConfig"] == {
        "MinimumPollers": 4,
        "MaximumPollers": 20,
    }
    assert by_handler["planner"]["ScalingConfig"] == {"MaximumConcurrency": 30}
    reserved = {
        function["FunctionName"]: function.get("ReservedConcurrentExecutions")
        for function in cerebro.all("AWS::Lambda::Function").values()
        if "ReservedConcurrentExecutions" in function
    }
    assert reserved == {"cordyna-tracker": 250}


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"max_concurrency": "tracker=1"}, "not within 2 to 1000"),
        ({"max_concurrency": "traker=5"}, "'traker=5' is not NAME=NUMBER"),
        ({"max_concurrency": "tracker=many"}, "'tracker=many' is not NAME=NUMBER"),
        ({"reserved_concurrency": "tracker=5"}, "less than its maximum"),
    ],
)
def test_bad_capacity_is_refused(tmp_path: Path, context: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        synthesized(tmp_path, **context)


def test_failed_messages_are_postponed_by_their_function_only(stacks: dict[str, Template]) -> None:
    cerebro = stacks["cerebro"]
    for name in MAX_CONCURRENCY:
        (statement,) = [
            each
            for each in cerebro.statements_of(f"{name.capitalize()}Role")
            if "sqs:ChangeMessageVisibility" in listed(each["Action"])
        ]
        assert statement["Resource"]["Fn::GetAtt"][0].startswith(f"{name.capitalize()}Queue")
