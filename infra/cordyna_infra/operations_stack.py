"""OperationsStack: stub."""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_sns as sns
from constructs import Construct

from cordyna_cdk import TaskServer
from cordyna_infra.cerebro_stack import CerebroStack
from cordyna_infra.stage import Stage


class OperationsStack(Stack):
    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, cerebro: CerebroStack, servers: Sequence[TaskServer]) -> None:
        super().__init__(scope, construct_id)
        sns.Topic(self, "Alarms", enforce_ssl=True)
