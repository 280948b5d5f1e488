"""NetworkStack: one network for the containers of all task servers of a stage.

Invariant: the network itself is free: public subnets without a NAT gateway, and gateway endpoints.
Nothing listens in it; every server has a security group without inbound rules.
"""

from aws_cdk import Stack, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from cordyna_cdk.acknowledged_findings import acknowledge
from cordyna_cdk.container import NETWORK_ZONES
from cordyna_cdk.discovery import ParameterName, parameter_name
from cordyna_infra.stage import Stage


class NetworkStack(Stack):
    """The shared network of one stage; containers find it by SSM parameters."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(
            scope, construct_id, description=f"network of cordyna's containers, {stage.name}"
        )
        Tags.of(self).add("cordyna:stage", stage.name)
        Tags.of(self).add("cordyna:part", "network")
        vpc = ec2.Vpc(
            self,
            "Network",
            max_azs=NETWORK_ZONES,
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=20
                )
            ],
            gateway_endpoints={
                "DynamoDb": ec2.GatewayVpcEndpointOptions(
                    service=ec2.GatewayVpcEndpointAwsService.DYNAMODB
                ),
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
            },
            restrict_default_security_group=False,
        )
        acknowledge(
            vpc,
            {
                "AwsSolutions-VPC7": (
                    "Nothing listens in this network; security groups admit no inbound traffic. "
                    "A flow log would cost more than the network."
                )
            },
        )
        parameters: dict[ParameterName, str] = {
            "network-vpc": vpc.vpc_id,
            "network-subnets": ",".join(subnet.subnet_id for subnet in vpc.public_subnets),
        }
        for name, value in parameters.items():
            ssm.StringParameter(
                self,
                f"Parameter-{name}",
                parameter_name=parameter_name(stage.name, name),
                string_value=value,
            )
