"""Roles: every part has the permissions that it needs, and no others."""

from typing import Any

import pytest

from cerebro.dispatch import ROUTES
from cordyna_cli.aws.dead_letters import OTHER_FUNCTIONS, QUEUE_HANDLERS
from cordyna_core.contract.ids import CEREBRO, SCHEDULER, server_source
from cordyna_core.contract.registry import published_by
from cordyna_infra.handlers import HANDLERS, QUEUE_FED
from infra.templates import Statement, Template, listed, text_of

WITHOUT_A_RESOURCE = {
    # Actions that take no resource (Service Authorization Reference).
    "ecr:GetAuthorizationToken",
    "scheduler:ListSchedules",
    "lambda:GetAccountSettings",
    "servicequotas:ListServiceQuotas",
}

SENT_BY_SERVERS = {
    "ServerDeclared",
    "ServerStateChanged",
    "TaskStateChanged",
    "InvokeTask",
    "CancelRun",
    "RetryRun",
}


def every_statement(stacks: dict[str, Template]) -> list[tuple[str, Statement]]:
    return [statement for template in stacks.values() for statement in template.statements()]


def may_put(statements: list[Statement]) -> list[dict[str, list[str]]]:
    """The conditions of all permissions for PutEvents."""
    return [
        statement["Condition"]["StringEquals"]
        for statement in statements
        if "events:PutEvents" in listed(statement["Action"])
    ]


def test_policies_allow_no_wildcard_actions(stacks: dict[str, Template]) -> None:
    found = [
        (where, action)
        for where, statement in every_statement(stacks)
        for action in listed(statement["Action"])
        if "*" in action
    ]
    assert found == []


def test_policies_allow_all_resources_only_if_unavoidable(
    stacks: dict[str, Template],
) -> None:
    found = [
        (where, statement["Action"])
        for where, statement in every_statement(stacks)
        if "*" in listed(statement["Resource"])
        and not set(listed(statement["Action"])) <= WITHOUT_A_RESOURCE
    ]
    assert found == []


def test_wildcard_resources_are_limited_to_their_group(
    stacks: dict[str, Template],
) -> None:
    open_ended = {
        text_of(resource)
        for _, statement in every_statement(stacks)
        for resource in listed(statement["Resource"])
    }
    location = "us-east-1:111122223333"
    assert {resource for resource in open_ended if "*" in resource} - {"*"} == {
        f"arn:aws:scheduler:{location}:schedule/cordyna/*",  # schedules of cordyna's group
        f"arn:aws:ssm:{location}:parameter/cordyna/*",  # discovery of cordyna
        f"arn:aws:logs:{location}:log-group:/aws/lambda/*",  # logs of functions
        f"arn:aws:logs:{location}:log-group:/cordyna/*",  # logs of containers
        f"arn:aws:sqs:{location}:*-dead-letters",  # of task servers, by their tag
        f"arn:aws:sqs:{location}:*-work",  # the same
        f"arn:aws:ecs:{location}:task/task-server-c/*",  # instances of one server
    }


def test_put_events_always_has_both_conditions(stacks: dict[str, Template]) -> None:
    puts = [
        (where, statement)
        for where, statement in every_statement(stacks)
        if "events:PutEvents" in listed(statement["Action"])
    ]
    assert len(puts) > len(HANDLERS)
    for where, statement in puts:
        assert set(statement["Condition"]) == {"StringEquals"}, where
        assert set(statement["Condition"]["StringEquals"]) == {
            "events:source",
            "events:detail-type",
        }, where
        assert all(
            "*" not in value
            for values in statement["Condition"]["StringEquals"].values()
            for value in listed(values)
        ), where
        assert listed(statement["Action"]) == ["events:PutEvents"], where
        assert "*" not in [text_of(resource) for resource in listed(statement["Resource"])], where


@pytest.mark.parametrize("name", HANDLERS)
def test_handler_publishes_what_the_registry_allows(stacks: dict[str, Template], name: str) -> None:
    puts = {
        tuple(statement["events:source"]): set(statement["events:detail-type"])
        for statement in may_put(stacks["cerebro"].statements_of(f"{name.capitalize()}Role"))
    }
    published = set(published_by(name))
    expected = {
        (CEREBRO,): published - {"InvokeTask"},
        (SCHEDULER,): published & {"InvokeTask"},
    }
    assert puts == {source: kinds for source, kinds in expected.items() if kinds}


def test_who_may_start_waits_is_who_does(stacks: dict[str, Template]) -> None:
    """The timekeeper delays messages instead; what has no timers that are delayed, none at all."""
    cerebro = stacks["cerebro"]
    may_start = {
        name
        for name in HANDLERS
        for statement in cerebro.statements_of(f"{name.capitalize()}Role")
        if "states:StartExecution" in listed(statement["Action"])
    }
    waits_in = {
        function["FunctionName"].removeprefix("cordyna-"): function["Environment"]["Variables"][
            "CORDYNA_TIMERS"
        ]
        for function in cerebro.all("AWS::Lambda::Function").values()
    }
    assert may_start == {
        name
        for name, spec in HANDLERS.items()
        if spec.delays_page_timers and waits_in[name] == "states"
    }
    assert "timekeeper" not in may_start


def on_table(cerebro: Template, name: str) -> list[dict[str, Any]]:
    """The statements of a function's role about the table."""
    statements = cerebro.statements_of(f"{name}Role")
    return [one for one in statements if listed(one["Action"])[0].startswith("dynamodb:")]


def test_query_cannot_write_the_table(stacks: dict[str, Template]) -> None:
    (only,) = on_table(stacks["cerebro"], "Query")
    assert sorted(only["Action"]) == ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"]


def test_sweeper_writes_marks_only(stacks: dict[str, Template]) -> None:
    reads, writes = on_table(stacks["cerebro"], "Sweeper")
    assert sorted(reads["Action"]) == [
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:Query",
    ]
    assert writes["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["ACTIVE#*", "SWEPT"]}
    }


def test_functions_have_roles_of_their_own(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        roles = [
            text_of(function["Role"]) for function in template.all("AWS::Lambda::Function").values()
        ]
        assert len(roles) == len(set(roles)), template.name


@pytest.mark.parametrize("server", ["task-server-a", "task-server-b", "task-server-c"])
def test_server_publishes_under_its_own_source_only(
    stacks: dict[str, Template], server: str
) -> None:
    """Its bodies send what servers send; its deployment declares and removes it."""
    puts = may_put([statement for _, statement in stacks[server].statements()])
    assert {source for put in puts for source in listed(put["events:source"])} == {
        server_source(server)
    }
    allowed = {tuple(listed(put["events:detail-type"])) for put in puts}
    assert allowed == {tuple(sorted(SENT_BY_SERVERS)), ("ServerDeclared",), ("RemoveServer",)}


def test_server_permissions_match_the_routes() -> None:
    routed = {
        kind
        for route in ROUTES
        if any(source.startswith("cordyna.server.") for source in route.sources)
        for kind in route.detail_types
    }
    assert routed == SENT_BY_SERVERS | {"RemoveServer"}


def test_bus_policy_reserves_sources_of_cerebro(
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
    publishers = {text_of(role) for role in deny["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]}
    assert {role.partition("Role")[0].removeprefix("<").lower() for role in publishers} == {
        name for name in HANDLERS if published_by(name)
    }


def statements_of_policy(stacks: dict[str, Template], name: str) -> list[Statement]:
    policies = stacks["cerebro"].all("AWS::IAM::ManagedPolicy").values()
    (statements,) = [
        policy["PolicyDocument"]["Statement"]
        for policy in policies
        if text_of(policy["ManagedPolicyName"]) == f"cordyna-us-east-1-{name}"
    ]
    return listed(statements)


def test_invoke_policy_publishes_under_the_own_name_only(stacks: dict[str, Template]) -> None:
    (conditions,) = may_put(statements_of_policy(stacks, "invoke"))
    assert conditions == {
        "events:source": [
            "cordyna.client",
            "cordyna.client.${aws:PrincipalTag/cordyna-client}",
        ],
        "events:detail-type": ["CancelRun", "InvokeTask", "RetryRun", "SnoozeIncident"],
    }


def test_policies_keep_their_descriptions(stacks: dict[str, Template]) -> None:
    """A new description replaces a managed policy, which CloudFormation refuses: it has a name."""
    described = {
        text_of(policy["ManagedPolicyName"]).rpartition("-")[2]: policy["Description"]
        for policy in stacks["cerebro"].all("AWS::IAM::ManagedPolicy").values()
    }
    assert described == {
        "look": "see everything on cordyna, and change nothing",
        "invoke": "invoke, cancel and retry on cordyna, under one's own name",
        "operate": (
            "inspect, redrive and purge dead letters; pause and resume crons; call the roll; "
            "remove servers"
        ),
    }


def test_look_policy_publishes_nothing(stacks: dict[str, Template]) -> None:
    assert may_put(statements_of_policy(stacks, "look")) == []


def test_operate_policy_only_removes_servers(stacks: dict[str, Template]) -> None:
    (conditions,) = may_put(statements_of_policy(stacks, "operate"))
    assert listed(conditions["events:detail-type"]) == ["RemoveServer"]


def test_operate_policy_purges_dead_letters_only(stacks: dict[str, Template]) -> None:
    of_cerebro, of_servers = [
        statement
        for statement in statements_of_policy(stacks, "operate")
        if "sqs:PurgeQueue" in listed(statement["Action"])
    ]
    assert all("DeadLetters" in text_of(resource) for resource in of_cerebro["Resource"])
    assert text_of(of_servers["Resource"]).endswith(":*-dead-letters")


def test_operate_policy_redrives_queues_of_task_servers(stacks: dict[str, Template]) -> None:
    wide = [
        statement
        for statement in statements_of_policy(stacks, "operate")
        if "sqs:" in str(statement["Action"]) and "*" in text_of(listed(statement["Resource"])[0])
    ]
    assert [text_of(each["Resource"]).rpartition(":")[2] for each in wide] == [
        "*-dead-letters",
        "*-work",
    ]
    for statement in wide:
        assert statement["Condition"] == {"Null": {"aws:ResourceTag/cordyna:server": "false"}}
    for server in ("task-server-a", "task-server-b", "task-server-c"):
        for name, queue in stacks[server].all("AWS::SQS::Queue").items():
            # What is left of a check is stale, so it is not redriven.
            assert str(queue["QueueName"]).endswith(("-dead-letters", "-work", "-checks")), name
            assert {"Key": "cordyna:server", "Value": server} in queue["Tags"], name


def test_command_line_knows_every_dead_letter_queue(stacks: dict[str, Template]) -> None:
    queues = [
        str(queue["QueueName"]).removeprefix("cordyna-")
        for queue in stacks["cerebro"].all("AWS::SQS::Queue").values()
    ]
    dead = {name.removesuffix("-dead-letters") for name in queues if "dead-letters" in name}
    assert dead == {*QUEUE_HANDLERS, *OTHER_FUNCTIONS}
    assert {name for name in queues if "dead-letters" not in name} == {*QUEUE_HANDLERS}


def test_look_policy_reads_logs_of_task_servers_only(stacks: dict[str, Template]) -> None:
    wide = [
        statement
        for statement in statements_of_policy(stacks, "look")
        if "logs" in str(statement["Action"])
        and any("*" in text_of(resource) for resource in listed(statement["Resource"]))
        and "<" not in str([text_of(resource) for resource in listed(statement["Resource"])])
    ]
    assert [statement["Condition"] for statement in wide] == [
        {"Null": {"aws:ResourceTag/cordyna:server": "false"}}
    ]
    for server in ("task-server-a", "task-server-b", "task-server-c"):
        for name, group in stacks[server].all("AWS::Logs::LogGroup").items():
            assert {"Key": "cordyna:server", "Value": server} in group["Tags"], name
    for group in stacks["cerebro"].all("AWS::Logs::LogGroup").values():
        assert "cordyna:server" not in {tag["Key"] for tag in group["Tags"]}


def test_policies_have_no_duplicate_statements(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        statements = [f"{where} {statement}" for where, statement in template.statements()]
        assert sorted(statements) == sorted(set(statements))


def test_schedule_role_sends_to_the_timekeeper_only(
    stacks: dict[str, Template],
) -> None:
    (statement,) = stacks["cerebro"].statements_of("TimerResourcesSender")
    assert statement["Action"] == "sqs:SendMessage"
    assert all(
        text_of(resource).startswith("<TimekeeperQueue")
        for resource in listed(statement["Resource"])
    )


def test_pass_role_is_limited_to_the_scheduler(stacks: dict[str, Template]) -> None:
    passing = [
        statement
        for _, statement in every_statement(stacks)
        if "iam:PassRole" in listed(statement["Action"])
    ]
    assert passing
    for statement in passing:
        assert statement["Condition"] == {
            "StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}
        }
        assert text_of(statement["Resource"]).startswith("<TimerResourcesSender")


def test_functions_that_feed_themselves_may_recurse(stacks: dict[str, Template]) -> None:
    """AWS Lambda would end the chain of a wide fan-out, or of a long run's timers."""
    loops = {
        function["FunctionName"].removeprefix("cordyna-"): function.get("RecursiveLoop")
        for function in stacks["cerebro"].all("AWS::Lambda::Function").values()
        if "FunctionName" in function
    }
    assert {name for name, loop in loops.items() if loop == "Allow"} == set(QUEUE_FED)


def test_roles_of_timers_serve_this_account_only(stacks: dict[str, Template]) -> None:
    roles = stacks["cerebro"].all("AWS::IAM::Role")
    trusts = {
        name: role["AssumeRolePolicyDocument"]["Statement"][0].get("Condition", {})
        for name, role in roles.items()
        if name.startswith("TimerResources")
    }
    assert len(trusts) == 2
    for condition in trusts.values():
        assert condition["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    (sender,) = [trust for name, trust in trusts.items() if "Sender" in name]
    assert text_of(sender["ArnLike"]["aws:SourceArn"]).endswith(":schedule-group/cordyna")


def test_look_policy_reads_parameters_and_schedules(stacks: dict[str, Template]) -> None:
    (look,) = [
        policy
        for policy in stacks["cerebro"].all("AWS::IAM::ManagedPolicy").values()
        if "look" in text_of(policy["ManagedPolicyName"])
    ]
    allowed = {
        action: [text_of(resource) for resource in listed(statement["Resource"])]
        for statement in look["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
    }
    parameters = allowed["ssm:GetParametersByPath"]
    assert {part.rpartition("parameter/")[2] for part in parameters} == {"cordyna", "cordyna/*"}
    assert "scheduler:ListSchedules" in allowed
    assert "servicequotas:ListServiceQuotas" in allowed
