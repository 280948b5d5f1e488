"""A server's bodies in Fargate, scaled from zero by its work queue.

Invariant: an idle server costs nothing: no instance, no NAT gateway, no load balancer, no interface
endpoint. Instances run in public subnets with an address of their own ($0.005 an hour each) and a
security group without inbound rules; interface endpoints for the five services would cost $37 a
month and zone. DynamoDB and S3 are reached by gateway endpoints, which are free.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cordyna_cdk.acknowledged_findings import CONTAINER_FINDINGS, acknowledge
from cordyna_cdk.context_flags import is_disabled
from cordyna_cdk.guarded_function import architecture_of
from cordyna_cdk.loaded_server import LoadedServer
from cordyna_cdk.scaling import QueueScaling

STOP_TIMEOUT_MAX = Duration.seconds(120)
"""The longest time that Fargate waits between SIGTERM and SIGKILL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """How the container runs. Default image: the Dockerfile in the code's folder."""

    image: ecs.ContainerImage | None = None
    cpu: int = 256
    memory_mb: int = 512
    workers: int = 4
    """Concurrent bodies in one instance."""
    max_instances: int = 1
    vpc: ec2.IVpc | None = None


class ContainerWorkers(Construct):
    """A Fargate service that consumes `queue`; its bodies run as `role`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        server: LoadedServer,
        container: Container,
        queue: sqs.Queue,
        ingress: lambda_.IFunction,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"),
            description=f"permissions of the bodies of {server.name}",
        )
        self.role.add_to_policy(_consume_statement(queue))
        vpc = container.vpc or _network(self)
        cluster = ecs.Cluster(
            self, "Cluster", vpc=vpc, container_insights_v2=ecs.ContainerInsights.DISABLED
        )
        service = ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=self._definition(server, container, environment),
            desired_count=0,
            assign_public_ip=container.vpc is None,
            security_groups=[
                ec2.SecurityGroup(
                    self,
                    "EgressOnlySecurityGroup",
                    vpc=vpc,
                    description=f"{server.name}: outbound only",
                    allow_all_outbound=True,
                )
            ],
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
            if container.vpc is None
            else None,
            # Instances consume a queue, so a new one may start after the old one has drained.
            min_healthy_percent=0,
            max_healthy_percent=100,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
        )
        for part, findings in CONTAINER_FINDINGS.items():
            if (construct := self.node.try_find_child(part)) is not None:
                acknowledge(construct, findings)
        # On an emulator without Application Auto Scaling the container runs as an ordinary process.
        if not is_disabled(self, "scaling"):
            QueueScaling(
                self,
                "Scaling",
                service=service,
                queue=queue,
                ingress=ingress,
                workers=container.workers,
                max_instances=container.max_instances,
            )

    def _definition(
        self, server: LoadedServer, container: Container, environment: Mapping[str, str]
    ) -> ecs.FargateTaskDefinition:
        arm = architecture_of(self).name == "arm64"
        definition = ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=container.cpu,
            memory_limit_mib=container.memory_mb,
            task_role=self.role,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.ARM64 if arm else ecs.CpuArchitecture.X86_64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        log = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/cordyna/{server.name}",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        platform = ecr_assets.Platform.LINUX_ARM64 if arm else ecr_assets.Platform.LINUX_AMD64
        definition.add_container(
            "Server",
            image=container.image
            or ecs.ContainerImage.from_asset(str(server.folder), platform=platform),
            environment={
                **environment,
                "CORDYNA_WORKERS": str(container.workers),
                "AWS_REGION": Stack.of(self).region,
            },
            logging=ecs.LogDriver.aws_logs(stream_prefix=server.name, log_group=log),
            stop_timeout=STOP_TIMEOUT_MAX,
        )
        return definition


def _network(scope: Construct) -> ec2.Vpc:
    return ec2.Vpc(
        scope,
        "Network",
        max_azs=2,
        nat_gateways=0,
        subnet_configuration=[
            ec2.SubnetConfiguration(name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24)
        ],
        gateway_endpoints={
            "DynamoDb": ec2.GatewayVpcEndpointOptions(
                service=ec2.GatewayVpcEndpointAwsService.DYNAMODB
            ),
            "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
        },
        restrict_default_security_group=False,
    )


def _consume_statement(queue: sqs.Queue) -> iam.PolicyStatement:
    actions = [
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:GetQueueAttributes",
    ]
    return iam.PolicyStatement(actions=actions, resources=[queue.queue_arn])
