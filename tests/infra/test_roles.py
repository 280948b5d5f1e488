"""Roles: everybody may do what their part needs, and nothing else (section 8 of the design)."""

import pytest

from cerebro.dispatch import ROUTES
from cordyna_core.contract.ids import CEREBRO, SCHEDULER, server_source
from cordyna_infra.handlers import HANDLERS
from infra.templates import Statement, Template, listed, text_of

WITHOUT_A_RESOURCE = {
    # Actions that know no resource (Service Authorization Reference).
    "ecr:GetAuthorizationToken",
    "scheduler:ListSchedules",
}

SPOKEN_BY_SERVERS = {
    "ServerDeclared",
    "ServerStateChanged",
    "TaskStateChanged",
    "InvokeTask",
    "CancelRun",
    "RetryRun",
}


def every_statement(stacks: dict[str, Template]) -> list[tuple[str, Statement]]:
    return [each for template in stacks.values() for each in template.statements()]


def may_put(statements: list[Statement]) -> list[dict[str, list[str]]]:
    """The conditions under which events may be put."""
    return [
        each["Condition"]["StringEquals"]
        for each in statements
        if "events:PutEvents" in listed(each["Action"])
    ]


def test_no_policy_allows_a_wildcard_of_actions(stacks: dict[str, Template]) -> None:
    found = [
        (where, action)
        for where, each in every_statement(stacks)
        for action in listed(each["Action"])
        if "*" in action
    ]
    assert found == []


def test_no_policy_allows_every_resource_unless_the_action_knows_none(
    stacks: dict[str, Template],
) -> None:
    found = [
        (where, each["Action"])
        for where, each in every_statement(stacks)
        if "*" in listed(each["Resource"]) and not set(listed(each["Action"])) <= WITHOUT_A_RESOURCE
    ]
    assert found == []


def test_resources_that_are_named_later_are_at_least_named_by_their_group(
    stacks: dict[str, Template],
) -> None:
    open_ended = {
        text_of(resource)
        for _, each in every_statement(stacks)
        for resource in listed(each["Resource"])
    }
    here = "us-east-1:111122223333"
    assert {resource for resource in open_ended if "*" in resource} - {"*"} == {
        f"arn:aws:scheduler:{here}:schedule/cordyna/*",  # schedules, of cordyna's group
        f"arn:aws:ssm:{here}:parameter/cordyna/*",  # where cordyna is
        f"arn:aws:logs:{here}:log-group:/aws/lambda/*",  # people may read what functions logged
        f"arn:aws:logs:{here}:log-group:/cordyna/*",  # and containers
        *(
            resource for resource in open_ended if resource.endswith(".Arn>:*")
        ),  # versions of the one function that declares a server
    }


def test_nobody_puts_events_without_both_conditions(stacks: dict[str, Template]) -> None:
    puts = [
        (where, each)
        for where, each in every_statement(stacks)
        if "events:PutEvents" in listed(each["Action"])
    ]
    assert len(puts) > len(HANDLERS)
    for where, each in puts:
        assert set(each["Condition"]) == {"StringEquals"}, where
        assert set(each["Condition"]["StringEquals"]) == {"events:source", "events:detail-type"}, (
            where
        )
        assert all(
            "*" not in value
            for values in each["Condition"]["StringEquals"].values()
            for value in listed(values)
        ), where
        assert listed(each["Action"]) == ["events:PutEvents"], where
        assert "*" not in [text_of(resource) for resource in listed(each["Resource"])], where


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_says_what_the_table_lets_it_say(stacks: dict[str, Template], name: str) -> None:
    handler = HANDLERS[name]
    puts = {
        tuple(each["events:source"]): set(each["events:detail-type"])
        for each in may_put(stacks["cerebro"].statements_of(f"{name.capitalize()}Role"))
    }
    expected = {(CEREBRO,): {kind.__name__ for kind in handler.says}} if handler.says else {}
    assert puts == expected | ({(SCHEDULER,): {"InvokeTask"}} if handler.ticks else {})


def test_the_sweeper_and_the_query_function_cannot_write_the_table(
    stacks: dict[str, Template],
) -> None:
    for name in ("Sweeper", "Query"):
        on_table = [
            each
            for each in stacks["cerebro"].statements_of(f"{name}Role")
            if listed(each["Action"])[0].startswith("dynamodb:")
        ]
        assert [sorted(each["Action"]) for each in on_table] == [
            ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]
        ]


def test_every_function_has_a_role_of_its_own(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        roles = [text_of(each["Role"]) for each in template.all("AWS::Lambda::Function").values()]
        assert len(roles) == len(set(roles)), template.name


@pytest.mark.parametrize("server", ["task-server-a", "task-server-b", "task-server-c"])
def test_a_server_speaks_in_its_own_name_only(stacks: dict[str, Template], server: str) -> None:
    puts = may_put([each for _, each in stacks[server].statements()])
    assert puts
    for each in puts:
        assert listed(each["events:source"]) == [server_source(server)]
        assert set(each["events:detail-type"]) == SPOKEN_BY_SERVERS


def test_what_servers_may_say_is_what_cerebro_hears_from_them() -> None:
    heard = {
        kind
        for route in ROUTES
        if any(source.startswith("cordyna.server.") for source in route.sources)
        for kind in route.detail_types
    }
    assert heard == SPOKEN_BY_SERVERS


def test_only_cerebros_own_roles_speak_as_cerebro_whatever_other_policies_say(
    stacks: dict[str, Template],
) -> None:
    policy = stacks["cerebro"].one("AWS::Events::EventBus")["Policy"]
    (deny,) = policy["Statement"]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == (
        "Deny",
        {"AWS": "*"},
        "events:PutEvents",
    )
    assert deny["Condition"]["StringEquals"] == {"events:source": [CEREBRO, SCHEDULER]}
    speakers = {text_of(role) for role in deny["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]}
    assert {role.partition("Role")[0].removeprefix("<").lower() for role in speakers} == {
        name for name, each in HANDLERS.items() if each.says
    }


def test_whoever_invokes_speaks_as_a_client_only(stacks: dict[str, Template]) -> None:
    policies = stacks["cerebro"].all("AWS::IAM::ManagedPolicy").values()
    (invoke,) = [
        each["PolicyDocument"]["Statement"]
        for each in policies
        if each["ManagedPolicyName"] == "cordyna-invoke"
    ]
    assert may_put(invoke) == [
        {
            "events:source": ["cordyna.client"],
            "events:detail-type": ["CancelRun", "InvokeTask", "RetryRun"],
        }
    ] or may_put(invoke) == [
        {
            "events:source": "cordyna.client",
            "events:detail-type": ["CancelRun", "InvokeTask", "RetryRun"],
        }
    ]


def test_whoever_invokes_reads_the_logs_of_task_servers_and_of_nothing_else_in_the_account(
    stacks: dict[str, Template],
) -> None:
    policies = stacks["cerebro"].all("AWS::IAM::ManagedPolicy").values()
    (invoke,) = [
        each["PolicyDocument"]["Statement"]
        for each in policies
        if each["ManagedPolicyName"] == "cordyna-invoke"
    ]
    wide = [
        each
        for each in invoke
        if any("*" in text_of(resource) for resource in listed(each["Resource"]))
        and "logs" in str(each["Action"])
    ]
    assert [each["Condition"] for each in wide] == [
        {"Null": {"aws:ResourceTag/cordyna:server": "false"}}
    ]
    for server in ("task-server-a", "task-server-b", "task-server-c"):
        for name, group in stacks[server].all("AWS::Logs::LogGroup").items():
            assert {"Key": "cordyna:server", "Value": server} in group["Tags"], name
    for group in stacks["cerebro"].all("AWS::Logs::LogGroup").values():
        assert "cordyna:server" not in {tag["Key"] for tag in group["Tags"]}


def test_no_statement_is_said_twice(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        said = [f"{where} {each}" for where, each in template.statements()]
        assert sorted(said) == sorted(set(said))


def test_schedules_send_in_a_role_that_sends_to_the_timekeeper_only(
    stacks: dict[str, Template],
) -> None:
    (statement,) = stacks["cerebro"].statements_of("TimersSender")
    assert statement["Action"] == "sqs:SendMessage"
    assert all(
        text_of(resource).startswith("<TimekeeperQueue")
        for resource in listed(statement["Resource"])
    )


def test_a_role_is_passed_to_the_scheduler_only(stacks: dict[str, Template]) -> None:
    passing = [
        each for _, each in every_statement(stacks) if "iam:PassRole" in listed(each["Action"])
    ]
    assert passing
    for each in passing:
        assert each["Condition"] == {
            "StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}
        }
        assert text_of(each["Resource"]).startswith("<TimersSender")
