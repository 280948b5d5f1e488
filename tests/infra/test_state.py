"""State: what is stored, for how long, and how it is protected."""

import json
from pathlib import Path

from cerebro.adapters.aws.dynamodb_run_marks import SHARDS, WRITTEN_WITHIN_S
from cerebro.adapters.aws.dynamodb_runs import run_key
from cerebro.adapters.aws.timers import EARLY_LOOKS_S
from cordyna_core.aws import claims
from cordyna_infra.handlers import QUEUE_FED
from cordyna_infra.timers import EARLY_LOOKS
from infra.conftest import synthesized
from infra.templates import Template, listed, text_of


def test_table_is_on_demand_with_ttl_and_restore_points(stacks: dict[str, Template]) -> None:
    table = stacks["cerebro"].one("AWS::DynamoDB::GlobalTable")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["pk", "sk"]
    (replica,) = table["Replicas"]
    assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_production_table_is_protected(stacks: dict[str, Template]) -> None:
    (table,) = [
        resource
        for resource in stacks["cerebro"].content["Resources"].values()
        if resource["Type"] == "AWS::DynamoDB::GlobalTable"
    ]
    assert table["DeletionPolicy"] == "Retain"
    assert table["Properties"]["Replicas"][0]["DeletionProtectionEnabled"] is True


def test_table_and_log_left_behind_do_not_block_a_deployment(stacks: dict[str, Template]) -> None:
    cerebro = stacks["cerebro"]
    assert "TableName" not in cerebro.one("AWS::DynamoDB::GlobalTable")
    (log,) = [
        group
        for group in cerebro.all("AWS::Logs::LogGroup").values()
        if "events" in str(group["LogGroupName"])
    ]
    assert "AWS::StackId" in str(log["LogGroupName"])


def test_restored_table_can_be_swapped_in(tmp_path: Path) -> None:
    cerebro = synthesized(tmp_path, table="cordyna-restored")["cerebro"]
    assert cerebro.all("AWS::DynamoDB::GlobalTable") == {}
    (parameter,) = [
        parameter
        for parameter in cerebro.all("AWS::SSM::Parameter").values()
        if parameter["Name"] == "/cordyna/production/table"
    ]
    assert parameter["Value"] == "cordyna-restored"
    tables = {
        text_of(resource)
        for _, statement in cerebro.statements()
        if "dynamodb:GetItem" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }
    assert tables == {"arn:aws:dynamodb:us-east-1:111122223333:table/cordyna-restored"}


def test_staging_table_can_be_deleted(tmp_path: Path) -> None:
    resources = synthesized(tmp_path, stage="staging")["cerebro"].content["Resources"].values()
    (table,) = [
        resource for resource in resources if resource["Type"] == "AWS::DynamoDB::GlobalTable"
    ]
    assert table["DeletionPolicy"] == "Delete"
    assert not table["Properties"]["Replicas"][0].get("DeletionProtectionEnabled")


def test_log_groups_have_a_retention(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        for name, group in template.all("AWS::Logs::LogGroup").items():
            assert group["RetentionInDays"] > 0, f"{template.name}/{name}"


def test_functions_log_json_to_their_own_group(
    stacks: dict[str, Template],
) -> None:
    for template in stacks.values():
        ours = [
            function
            for function in template.all("AWS::Lambda::Function").values()
            if function["Runtime"].startswith("python")
        ]
        assert [
            function
            for function in ours
            if function["LoggingConfig"]["LogFormat"] != "JSON"
            or "LogGroup" not in function["LoggingConfig"]
        ] == []


def test_claims_tables_match_the_library(stacks: dict[str, Template]) -> None:
    for name in ("task-server-a", "task-server-b", "task-server-c"):
        table = stacks[name].one("AWS::DynamoDB::GlobalTable")
        assert [key["AttributeName"] for key in table["KeySchema"]] == [claims.KEY]
        assert table["TimeToLiveSpecification"]["AttributeName"] == claims.EXPIRY


def test_ssm_parameters_are_named_by_stage(stacks: dict[str, Template], tmp_path: Path) -> None:
    names = {
        parameter["Name"] for parameter in stacks["cerebro"].all("AWS::SSM::Parameter").values()
    }
    assert names == {
        f"/cordyna/production/{name}"
        for name in ("bus", "table", "query", "layer", "events-log", "schedule-group")
    }
    staging = synthesized(tmp_path, stage="staging", bus="cordyna-staging")
    parameters = {
        parameter["Name"]: parameter["Value"]
        for parameter in staging["staging-cerebro"].all("AWS::SSM::Parameter").values()
    }
    assert set(parameters) == {name.replace("production", "staging") for name in names}


def test_resources_are_tagged_with_their_stage(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        for kind in (
            "AWS::SQS::Queue",
            "AWS::Lambda::Function",
            "AWS::Logs::LogGroup",
            "AWS::Events::Rule",
        ):
            for name, resource in template.all(kind).items():
                tags = {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}
                assert tags.get("cordyna:stage") == "production" or "CustomResource" in name, (
                    f"{template.name}/{name}"
                )


def test_wait_ends_without_a_message_if_its_run_has_completed(stacks: dict[str, Template]) -> None:
    machine = stacks["cerebro"].one("AWS::StepFunctions::StateMachine")
    states = json.loads(text_of(machine["DefinitionString"]))["States"]
    wait = states["Wait until it is due"]
    assert (wait["SecondsPath"], wait["Next"]) == ("$.seconds", "Is it of a run?")
    assert states[wait["Next"]]["Choices"] == [
        {"Variable": "$.run", "IsPresent": True, "Next": "Read its run"}
    ]
    assert states[wait["Next"]]["Default"] == "Send to the timekeeper"
    read = states["Read its run"]
    assert read["Parameters"]["ConsistentRead"] is True
    assert read["Parameters"]["Key"] == {"pk": {"S.$": "$.run"}, "sk": {"S": "META"}}
    # What cannot be read is sent all the same.
    (caught,) = read["Catch"]
    assert (caught["ErrorEquals"], caught["Next"]) == (["States.ALL"], "Send to the timekeeper")
    (completed,) = states[read["Next"]]["Choices"]
    assert completed["Next"] == "Nothing to do"
    assert states[read["Next"]]["Default"] == "Send to the timekeeper"


def test_wait_that_is_not_shared_looks_for_the_end_of_its_run(stacks: dict[str, Template]) -> None:
    machine = stacks["cerebro"].one("AWS::StepFunctions::StateMachine")
    content = json.loads(text_of(machine["DefinitionString"]))
    states = content["States"]
    assert content["StartAt"] == "How does it wait?"
    assert states["How does it wait?"]["Choices"] == [
        {"Variable": "$.first", "IsPresent": True, "Next": "Wait for its first look"},
        {"Variable": "$.seconds", "IsPresent": True, "Next": "Wait until it is due"},
    ]
    assert tuple(EARLY_LOOKS_S) == EARLY_LOOKS
    waits = [f"Wait for its {name} look" for name in EARLY_LOOKS]
    for name, wait, then in zip(
        EARLY_LOOKS, waits, [*waits[1:], "Wait until it is due"], strict=True
    ):
        look = f"Take its {name} look"
        assert (states[wait]["SecondsPath"], states[wait]["Next"]) == (f"$.{name}", look)
        assert states[look]["Parameters"] == states["Read its run"]["Parameters"]
        (caught,) = states[look]["Catch"]
        asked = states[states[look]["Next"]]
        assert asked["Choices"][0]["Next"] == "Nothing to do"
        # What cannot be read is waited for.
        assert (caught["Next"], asked["Default"]) == (then, then)


def test_run_is_stored_as_the_wait_reads_it(stacks: dict[str, Template]) -> None:
    assert run_key("RUN") == ("RUN#RUN", "META")
    (statement,) = [
        statement
        for statement in stacks["cerebro"].statements_of("TimerResourcesWaitRole")
        if "dynamodb:GetItem" in listed(statement["Action"])
    ]
    assert listed(statement["Action"]) == ["dynamodb:GetItem"]
    assert "State" in text_of(statement["Resource"])


def test_planner_ends_before_a_sweep_passes_its_run() -> None:
    assert 2 * QUEUE_FED["planner"].timeout_s <= WRITTEN_WITHIN_S


def test_every_partition_of_active_runs_is_swept(stacks: dict[str, Template]) -> None:
    (sweep,) = [
        rule
        for rule in stacks["cerebro"].all("AWS::Events::Rule").values()
        if "ScheduleExpression" in rule
    ]
    swept = [json.loads(target["Input"])["shard"] for target in sweep["Targets"]]
    assert sorted(swept) == list(range(SHARDS))
    assert all("DeadLetterConfig" in target for target in sweep["Targets"])
