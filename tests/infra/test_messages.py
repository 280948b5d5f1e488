"""Queues and rules: lost messages are dead letters; routes match; events are logged."""

import json
from pathlib import Path
from typing import Any

import pytest

from cerebro.dispatch import OBSERVED, ROUTES
from cordyna_core.contract.ids import CEREBRO, CLIENT, SCHEDULER
from cordyna_core.contract.limits import MAX_ENVELOPE_BYTES
from cordyna_core.contract.registry import MESSAGES, REGISTRY, sender_of
from cordyna_core.contract.server_route import event_pattern
from cordyna_infra.handlers import QUEUE_FED
from infra.conftest import synthesized
from infra.templates import Template, listed, text_of

SERVERS = ("task-server-a", "task-server-b", "task-server-c")


def is_dead_letter_queue(queue: dict[str, Any]) -> bool:
    return str(queue["QueueName"]).endswith("-dead-letters")


def test_queues_are_encrypted_and_accept_tls_only(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        closed = set()
        for policy in template.all("AWS::SQS::QueuePolicy").values():
            for statement in policy["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Deny" and statement["Condition"] == {
                    "Bool": {"aws:SecureTransport": "false"}
                }:
                    closed |= {text_of(queue) for queue in policy["Queues"]}
        for name, queue in template.all("AWS::SQS::Queue").items():
            assert queue["SqsManagedSseEnabled"] is True, name
            assert f"<{name}>" in closed, name


def test_queues_take_events_of_the_largest_size(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        for name, queue in template.all("AWS::SQS::Queue").items():
            assert queue["MaximumMessageSize"] == 1024 * 1024 >= MAX_ENVELOPE_BYTES, name


def test_queues_have_dead_letter_queues(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        for name, queue in template.all("AWS::SQS::Queue").items():
            if is_dead_letter_queue(queue):
                assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600, name
            else:
                retried_quickly = queue["QueueName"].removeprefix("cordyna-") in QUEUE_FED
                expected = 40 if retried_quickly else 5
                assert queue["RedrivePolicy"]["maxReceiveCount"] == expected, name
                assert "DeadLetters" in text_of(queue["RedrivePolicy"]["deadLetterTargetArn"]), name


def test_visibility_is_six_times_the_function_timeout(
    stacks: dict[str, Template],
) -> None:
    for template in stacks.values():
        queues, functions = template.all("AWS::SQS::Queue"), template.all("AWS::Lambda::Function")
        for source in template.all("AWS::Lambda::EventSourceMapping").values():
            queue = queues[source["EventSourceArn"]["Fn::GetAtt"][0]]
            function = functions[source["FunctionName"]["Ref"]]
            assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
            assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_rule_targets_have_dead_letter_queues(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        for name, rule in template.all("AWS::Events::Rule").items():
            for target in rule["Targets"]:
                assert "DeadLetters" in text_of(target["DeadLetterConfig"]["Arn"]), (
                    f"{template.name}/{name}"
                )


def test_dead_letter_queues_admit_their_rules(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        allowed = {
            (
                text_of(statement["Resource"]),
                text_of(statement["Condition"]["ArnEquals"]["aws:SourceArn"]),
            )
            for policy in template.all("AWS::SQS::QueuePolicy").values()
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Allow"
        }
        for name, rule in template.all("AWS::Events::Rule").items():
            for target in rule["Targets"]:
                assert (text_of(target["DeadLetterConfig"]["Arn"]), f"<{name}.Arn>") in allowed


def test_async_functions_have_dead_letters_and_no_retries(
    stacks: dict[str, Template],
) -> None:
    for template in stacks.values():
        rules = [
            target
            for rule in template.all("AWS::Events::Rule").values()
            for target in rule["Targets"]
        ]
        called = {
            text_of(target["Arn"]).removeprefix("<").removesuffix(".Arn>") for target in rules
        }
        configured = {
            configuration["FunctionName"]["Ref"]: configuration
            for configuration in template.all("AWS::Lambda::EventInvokeConfig").values()
        }
        for name, function in template.all("AWS::Lambda::Function").items():
            if name in called:
                assert "DeadLetters" in text_of(function["DeadLetterConfig"]["TargetArn"]), name
                assert (
                    configured[name]["MaximumRetryAttempts"],
                    configured[name]["MaximumEventAgeInSeconds"],
                ) == (0, 60)


def matches(pattern: dict[str, Any], source: str, detail_type: str) -> bool:
    """As EventBridge matches source and detail-type."""
    known = [
        source.startswith(pattern_source["prefix"])
        if isinstance(pattern_source, dict)
        else source == pattern_source
        for pattern_source in pattern["source"]
    ]
    kinds = pattern["detail-type"]
    if isinstance(kinds[0], dict):
        return any(known) and detail_type not in kinds[0]["anything-but"]
    return any(known) and detail_type in kinds


def test_rules_match_the_routes(stacks: dict[str, Template]) -> None:
    rules = stacks["cerebro"].all("AWS::Events::Rule").values()
    to = [
        (text_of(rule["Targets"][0]["Arn"]), rule["EventPattern"])
        for rule in rules
        if "detail-type" in rule.get("EventPattern", {})
        and not isinstance(rule["EventPattern"]["detail-type"][0], dict)
    ]
    assert len(to) == len(ROUTES) + len(OBSERVED)
    sources = (
        CLIENT,
        f"{CLIENT}.nightly",
        f"{CLIENT}x",
        SCHEDULER,
        CEREBRO,
        "cordyna.server.a",
        "cordyna.servers",
        "aws.events",
    )
    kinds = sorted(
        {kind for route in ROUTES for kind in route.detail_types} | {"RunTask", "Unknown"}
    )
    for route in (*ROUTES, *OBSERVED):
        (pattern,) = [
            pattern
            for target, pattern in to
            if target.startswith(f"<{route.handler.capitalize()}Queue")
            and pattern["detail-type"] == list(route.detail_types)
        ]
        where = {name: list(values) for name, values in route.where.items()}
        assert pattern.get("detail", {}) == where
        for source in sources:
            for kind in kinds:
                assert matches(pattern, source, kind) == route.matches(source, kind), (
                    route.handler,
                    source,
                    kind,
                )


def test_events_without_a_route_reach_a_handler(stacks: dict[str, Template]) -> None:
    """Of an unknown detail-type, or of one that the sender may not send: none is silently lost."""
    rules = [
        rule
        for rule in stacks["cerebro"].all("AWS::Events::Rule").values()
        if isinstance(rule.get("EventPattern", {}).get("detail-type", [""])[0], dict)
    ]
    for rule in rules:
        assert text_of(rule["Targets"][0]["Arn"]).startswith("<PlannerQueue")
    for source in (CLIENT, f"{CLIENT}.ops", "cordyna.server.team-a"):
        sender = sender_of(source)
        assert sender is not None
        for kind in (*MESSAGES, "InvokeTsk"):
            caught = [rule for rule in rules if matches(rule["EventPattern"], source, kind)]
            spec = next((spec for spec in REGISTRY if spec.detail_type == kind), None)
            assert len(caught) == (spec is None or sender not in spec.senders), (source, kind)
    for source in (CEREBRO, SCHEDULER, "aws.ecs"):
        assert not any(matches(rule["EventPattern"], source, "x") for rule in rules)


@pytest.mark.parametrize("server", SERVERS)
def test_server_rule_matches_its_route(stacks: dict[str, Template], server: str) -> None:
    assert stacks[server].one("AWS::Events::Rule")["EventPattern"] == event_pattern(server)


def test_events_are_logged_and_the_policy_admits_it(
    stacks: dict[str, Template],
) -> None:
    cerebro = stacks["cerebro"]
    (rule,) = [
        rule
        for rule in cerebro.all("AWS::Events::Rule").values()
        if rule.get("EventPattern") == {"source": [{"prefix": ""}]}
    ]
    (group,) = [
        name
        for name, group in cerebro.all("AWS::Logs::LogGroup").items()
        if "/aws/events/cordyna-" in str(group["LogGroupName"])
    ]
    assert f":log-group:<{group}>" in text_of(rule["Targets"][0]["Arn"])
    statements = json.loads(text_of(cerebro.one("AWS::Logs::ResourcePolicy")["PolicyDocument"]))
    allowed = {statement["Action"]: statement for statement in statements["Statement"]}
    for statement in allowed.values():
        assert "events.amazonaws.com" in listed(statement["Principal"]["Service"])
    # EventBridge names no rule when it creates a stream.
    assert "Condition" not in allowed.pop("logs:CreateLogStream")
    assert allowed.pop("logs:PutLogEvents")["Condition"] == {
        "ArnLike": {"aws:SourceArn": "arn:aws:events:us-east-1:111122223333:rule/cordyna/*"}
    }
    assert not allowed


def test_page_timer_waits_and_goes_to_the_timekeeper(
    stacks: dict[str, Template],
) -> None:
    machine = stacks["cerebro"].one("AWS::StepFunctions::StateMachine")
    states = json.loads(text_of(machine["DefinitionString"]))["States"]
    wait, send = states["Wait until it is due"], states["Send to the timekeeper"]
    assert machine["StateMachineType"] == "EXPRESS"
    assert (wait["Type"], wait["SecondsPath"]) == ("Wait", "$.seconds")
    # What a function of an older version started says only when.
    assert states["How does it wait?"]["Default"] == "Wait until a time"
    assert states["Wait until a time"]["TimestampPath"] == "$.timestamp"
    assert wait["Next"] == states["Wait until a time"]["Next"]
    assert send["Parameters"]["MessageBody.$"] == "$.body"
    assert send["Parameters"]["QueueUrl"].startswith("<TimekeeperQueue")


def test_log_resource_policies_stay_below_the_quota(stacks: dict[str, Template]) -> None:
    """Ten in a region: one for each stage leaves room for others."""
    policies = [
        name for template in stacks.values() for name in template.all("AWS::Logs::ResourcePolicy")
    ]
    assert len(policies) == 1


def test_resource_policies_name_their_source(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        for policy in template.all("AWS::SQS::QueuePolicy").values():
            for statement in policy["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Allow" and "Service" in statement["Principal"]:
                    assert "aws:SourceArn" in json.dumps(statement["Condition"]), template.name


def test_every_function_has_a_log_group_that_expires(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        groups = template.all("AWS::Logs::LogGroup")
        for name, function in template.all("AWS::Lambda::Function").items():
            assert function["LoggingConfig"]["LogGroup"]["Ref"] in groups, name


def test_event_log_follows_its_context(tmp_path: Path) -> None:
    def patterns(folder: str, value: str) -> list[dict[str, Any]]:
        cerebro = synthesized(tmp_path / folder, event_log=value)["cerebro"]
        return [
            rule["EventPattern"]
            for rule in cerebro.all("AWS::Events::Rule").values()
            if "logs" in text_of(rule["Targets"][0]["Arn"])
        ]

    assert patterns("off", "off") == []
    (ends,) = patterns("ends", "commands-and-ends")
    assert {"InvokeTask", "RunStateChanged"} <= set(ends["detail-type"])
    assert {"RunTask", "TaskStateChanged"} & set(ends["detail-type"]) == set()


def test_unknown_event_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be all, commands-and-ends or off"):
        synthesized(tmp_path, event_log="some")
