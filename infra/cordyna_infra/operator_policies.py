"""Managed policies for people who work with cordyna. Nothing is attached to anybody here.

Invariant: `invoke` permits to look and to send commands, under the source of a client only.
`operate` permits in addition to redrive dead letters, to pause crons, and to call the roll.
"""

from collections.abc import Sequence
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cordyna_cdk import put_events_statement
from cordyna_cdk.discovery import SERVER_TAG
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.registry import Sender, sent_by
from cordyna_infra.bus import Bus
from cordyna_infra.stage import Stage
from cordyna_infra.timers import TimerResources

OF_TASK_SERVERS: Final = {"Null": {f"aws:ResourceTag/{SERVER_TAG}": "false"}}
"""Only resources with the tag of a task server: other logs of the account stay private."""


class OperatorPolicies(Construct):
    """`<bus>-invoke` and `<bus>-operate`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        bus: Bus,
        timers: TimerResources,
        query: lambda_.IFunction,
        sweeper: lambda_.IFunction,
        queues: Sequence[sqs.IQueue],
        dead_letters: Sequence[sqs.IQueue],
    ) -> None:
        super().__init__(scope, construct_id)
        self.invoke = iam.ManagedPolicy(
            self,
            "Invoke",
            managed_policy_name=f"{stage.bus}-invoke",
            description="invoke, cancel and retry on cordyna, and see what happens",
            statements=[
                *_look(self, bus, query),
                put_events_statement(bus.arn, [CLIENT], sent_by(Sender.CLIENT)),
            ],
        )
        self.operate = iam.ManagedPolicy(
            self,
            "Operate",
            managed_policy_name=f"{stage.bus}-operate",
            description="inspect and redrive dead letters; pause and resume crons; call the roll",
            statements=[
                iam.PolicyStatement(
                    actions=[
                        "sqs:GetQueueUrl",
                        "sqs:GetQueueAttributes",
                        "sqs:ReceiveMessage",
                        "sqs:DeleteMessage",
                    ],
                    resources=[queue.queue_arn for queue in dead_letters],
                ),
                iam.PolicyStatement(
                    actions=["sqs:GetQueueUrl", "sqs:SendMessage"],
                    resources=[queue.queue_arn for queue in queues],
                ),
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"], resources=[sweeper.function_arn]
                ),
                timers.list_schedules_statement(),
                *timers.schedule_statements("GetSchedule", "UpdateSchedule"),
            ],
        )


def _look(scope: Construct, bus: Bus, query: lambda_.IFunction) -> list[iam.PolicyStatement]:
    """What `dyna` needs to show anything."""
    return [
        iam.PolicyStatement(actions=["events:DescribeEventBus"], resources=[bus.arn]),
        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[query.function_arn]),
        iam.PolicyStatement(
            actions=["ssm:GetParameter", "ssm:GetParametersByPath"],
            resources=[_parameters(scope)],
        ),
        iam.PolicyStatement(actions=["logs:FilterLogEvents"], resources=[bus.log.log_group_arn]),
        iam.PolicyStatement(
            actions=["logs:FilterLogEvents"],
            resources=_task_logs(scope),
            conditions=OF_TASK_SERVERS,
        ),
    ]


def _parameters(scope: Construct) -> str:
    """The parameters of all stages: `dyna` looks for the one with its bus."""
    return Stack.of(scope).format_arn(
        service="ssm", resource="parameter", resource_name="cordyna/*"
    )


def _task_logs(scope: Construct) -> list[str]:
    """The log groups of all functions and containers; which are task servers is not known here."""
    stack = Stack.of(scope)
    prefix = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group"
    return [f"{prefix}:/aws/lambda/*", f"{prefix}:/cordyna/*"]
