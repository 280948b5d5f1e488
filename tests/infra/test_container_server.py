"""A task server in a container, as another team uses it in its own stack."""

from pathlib import Path

from cordyna_cdk import Container
from cordyna_core.aws.claims import EXPIRY, KEY
from cordyna_core.aws.sqs_worker import DRAIN_MAX_S
from infra.team_stack import deployed
from infra.templates import listed, text_of


def test_idle_container_has_no_paid_resources(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code, container=Container(workers=2, max_instances=3))
    service = template.one("AWS::ECS::Service")
    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "ENABLED"
    for kind in (
        "AWS::EC2::VPC",
        "AWS::EC2::NatGateway",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
    ):
        assert template.all(kind) == {}
    assert "SecurityGroupIngress" not in template.one("AWS::EC2::SecurityGroup")
    target = template.one("AWS::ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 3)


def test_deployment_keeps_the_number_of_instances(tmp_path: Path, code: Path) -> None:
    service = deployed(tmp_path, code=code, container=Container()).one("AWS::ECS::Service")
    assert "DesiredCount" not in service


def test_instance_may_protect_itself_and_no_other_service(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code, container=Container())
    (statement,) = [
        statement
        for statement in template.statements_of("SalesWorkersRole")
        if "ecs:UpdateTaskProtection" in listed(statement["Action"])
    ]
    assert text_of(statement["Resource"]).endswith(":task/sales/*")


def test_containers_share_the_network_of_their_stage(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code, container=Container(), stage="staging")
    parameters = {parameter["Default"] for parameter in template.content["Parameters"].values()}
    assert parameters >= {f"/cordyna/staging/network-{name}" for name in ("vpc", "subnets")}


def test_spot_container_uses_spot_capacity(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code, container=Container(spot=True))
    (strategy,) = template.one("AWS::ECS::Service")["CapacityProviderStrategy"]
    assert strategy["CapacityProvider"] == "FARGATE_SPOT"


def test_container_scales_by_ingress_and_queue(tmp_path: Path, code: Path) -> None:
    alarms = (
        deployed(tmp_path, code=code, container=Container()).all("AWS::CloudWatch::Alarm").values()
    )
    by_label = {
        next(m["Label"] for m in alarm["Metrics"] if "Expression" in m): alarm for alarm in alarms
    }
    measured = {
        label: {
            m.get("MetricStat", {}).get("Metric", {}).get("MetricName") for m in alarm["Metrics"]
        }
        - {None}
        for label, alarm in by_label.items()
    }
    assert "Invocations" in measured["wake"]
    assert measured["sleep"] >= {
        "Invocations",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesVisible",
    }
    assert by_label["sleep"]["EvaluationPeriods"] == 10


def test_container_may_extend_message_visibility(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code, container=Container())
    actions = {
        action
        for statement in template.statements_of("SalesWorkersRole")
        for action in listed(statement["Action"])
    }
    assert "sqs:ChangeMessageVisibility" in actions


def test_instance_is_killed_after_its_bodies_have_drained(tmp_path: Path, code: Path) -> None:
    template = deployed(tmp_path, code=code, container=Container())
    (container,) = template.one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    assert container["StopTimeout"] > DRAIN_MAX_S


def test_claims_expire_by_what_the_library_writes(tmp_path: Path, code: Path) -> None:
    table = deployed(tmp_path, code=code, container=Container()).one("AWS::DynamoDB::GlobalTable")
    assert table["KeySchema"] == [{"AttributeName": KEY, "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": EXPIRY, "Enabled": True}


def test_command_waits_a_minute_for_the_ingress(tmp_path: Path, code: Path) -> None:
    """After that it is stale, and a dead letter says why nothing came of it."""
    rules = deployed(tmp_path, code=code, container=Container()).all("AWS::Events::Rule").values()
    (target,) = [target for rule in rules if "EventPattern" in rule for target in rule["Targets"]]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 60
    assert "DeadLetterConfig" in target
