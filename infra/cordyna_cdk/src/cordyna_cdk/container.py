"""A server's bodies in Fargate, scaled from zero by its work queue.

A deployment ends no body: instances protect themselves while one runs (Amazon ECS, task scale-in
protection), and the service's count of instances is not in the template.

Invariant: an idle server costs nothing: no instance, no NAT gateway, no load balancer, no interface
endpoint. Instances run in public subnets with an address of their own ($0.005 an hour each) and a
security group without inbound rules; interface endpoints for the five services would cost $37 a
month and zone. DynamoDB and S3 are reached by gateway endpoints, which are free.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration, Fn, RemovalPolicy, Stack
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
from cordyna_cdk.discovery import Discovery
from cordyna_cdk.guarded_function import architecture_of
from cordyna_cdk.loaded_server import LoadedServer
from cordyna_cdk.scaling import QueueScaling

_SPOT = [ecs.CapacityProviderStrategy(capacity_provider="FARGATE_SPOT", weight=1)]

NETWORK_ZONES = 2

_PROTECT_FINDING = (
    "AwsSolutions-IAM5[Resource::"
    "arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:task/{name}/*]"
)
_PROTECT_REASON = "Instances are named when they start; the cluster holds this server only."

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
    """Default: the network of the stage, which all servers share."""
    spot: bool = False
    """Fargate Spot: about 70 % cheaper, and stopped with two minutes' notice."""


class ContainerWorkers(Construct):
    """A Fargate service that consumes `queue`; its bodies run as `role`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        server: LoadedServer,
        name: str,
        container: Container,
        network: Discovery,
        queue: sqs.Queue,
        ingress: lambda_.IFunction,
        environment: Mapping[str, str],
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
    ) -> None:
        super().__init__(scope, construct_id)
        self._log_retention = log_retention
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"),
            description=f"permissions of the bodies of {server.name}",
        )
        self.role.add_to_policy(_consume_statement(queue))
        vpc = container.vpc or _shared_network(self, network)
        cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=name,
            vpc=vpc,
            container_insights_v2=ecs.ContainerInsights.DISABLED,
        )
        if container.spot:
            cluster.enable_fargate_capacity_providers()
        service = self._service(server, name, container, environment, cluster)
        self.role.add_to_policy(_protect_statement(self, name))
        acknowledge(self.role, {_PROTECT_FINDING.format(name=name): _PROTECT_REASON})
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

    def _service(
        self,
        server: LoadedServer,
        name: str,
        container: Container,
        environment: Mapping[str, str],
        cluster: ecs.Cluster,
    ) -> ecs.FargateService:
        service = ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=self._definition(server, name, container, environment),
            assign_public_ip=container.vpc is None,
            security_groups=[
                ec2.SecurityGroup(
                    self,
                    "EgressOnlySecurityGroup",
                    vpc=cluster.vpc,
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
            capacity_provider_strategies=_SPOT if container.spot else None,
        )
        resource = service.node.default_child
        assert isinstance(resource, ecs.CfnService)
        # A count in the template would reset a scaled service, and end its bodies, at every update.
        resource.add_property_deletion_override("DesiredCount")
        return service

    def _definition(
        self,
        server: LoadedServer,
        name: str,
        container: Container,
        environment: Mapping[str, str],
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
            log_group_name=f"/cordyna/{name}",
            retention=self._log_retention,
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


def _shared_network(scope: Construct, discovery: Discovery) -> ec2.IVpc:
    """Return the network of the stage: public subnets in two zones, published as SSM parameters."""
    subnets = Fn.split(",", discovery.find("network-subnets"))
    network = ec2.Vpc.from_vpc_attributes(
        scope,
        "Network",
        vpc_id=discovery.find("network-vpc"),
        # The CDK pairs zones with subnets; their names appear nowhere in the template.
        availability_zones=[f"zone-{index}" for index in range(NETWORK_ZONES)],
        public_subnet_ids=[Fn.select(index, subnets) for index in range(NETWORK_ZONES)],
    )
    acknowledge(
        network,
        {"@aws-cdk/aws-ec2:noSubnetRouteTableId": "Nothing here adds routes to the network."},
        "Annotation",
    )
    return network


def _protect_statement(scope: Construct, cluster_name: str) -> iam.PolicyStatement:
    """Return what an instance needs to protect itself while a body runs."""
    tasks = Stack.of(scope).format_arn(
        service="ecs", resource="task", resource_name=f"{cluster_name}/*"
    )
    return iam.PolicyStatement(
        actions=["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"], resources=[tasks]
    )


def _consume_statement(queue: sqs.Queue) -> iam.PolicyStatement:
    actions = [
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:GetQueueAttributes",
    ]
    return iam.PolicyStatement(actions=actions, resources=[queue.queue_arn])
