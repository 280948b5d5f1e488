"""Managed policies for people who work with cordyna. They are attached to no one here.

Invariant: `invoke` permits to look and to send commands, under the source of a client only.
`operate` permits in addition to redrive dead letters, those of task servers, too, to pause crons,
and to call the roll.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cordyna_cdk import put_events_statement
from cordyna_cdk.dead_letters import DEAD_LETTER_SUFFIX
from cordyna_cdk.discovery import SERVER_TAG
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.registry import Sender, sent_by, sent_by_deployment
from cordyna_infra.bus import StageBus
from cordyna_infra.stage import Stage
from cordyna_infra.timers import TimerResources

CLIENT_TAG: Final = "cordyna-client"
NAMED_CLIENT: Final = f"{CLIENT}.${{aws:PrincipalTag/{CLIENT_TAG}}}"
"""IAM replaces the variable; for a principal without the tag the condition fails."""

OF_TASK_SERVERS: Final = {"Null": {f"aws:ResourceTag/{SERVER_TAG}": "false"}}
"""Only resources with the tag of a task server: others of the account stay private."""


class OperatorPolicies(Construct):
    """`<bus>-<region>-look`, `-invoke` and `-operate`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        bus: StageBus,
        timers: TimerResources,
        query: lambda_.IFunction,
        sweeper: lambda_.IFunction,
        queues: Sequence[sqs.IQueue],
        dead_letters: Sequence[sqs.IQueue],
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._prefix, self._region = stage.bus, Stack.of(self).region
        self.look = self._policy(
            "Look",
            "see everything on cordyna, and change nothing",
            [*_look_statements(self, bus, query), timers.list_schedules_statement()],
        )
        self.invoke = self._policy(
            "Invoke",
            "invoke, cancel and retry on cordyna, under one's own name",
            [put_events_statement(bus.arn, [CLIENT, NAMED_CLIENT], sent_by(Sender.CLIENT))],
        )
        self.operate = self._policy(
            "Operate",
            "inspect, redrive and purge dead letters; pause and resume crons; call the roll; "
            "remove servers",
            [
                put_events_statement(
                    bus.arn, [CLIENT, NAMED_CLIENT], sent_by_deployment(Sender.CLIENT)
                ),
                *_redrive_statements(
                    [queue.queue_arn for queue in queues],
                    [queue.queue_arn for queue in dead_letters],
                ),
                *_redrive_statements_of_servers(self),
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"], resources=[sweeper.function_arn]
                ),
                timers.list_schedules_statement(),
                *timers.schedule_statements("GetSchedule", "UpdateSchedule"),
                *_key_statements(key),
            ],
        )

    def _policy(
        self, name: str, description: str, statements: Sequence[iam.PolicyStatement]
    ) -> iam.ManagedPolicy:
        return iam.ManagedPolicy(
            self,
            name,
            # Names of policies are unique in an account, not in a region.
            managed_policy_name=f"{self._prefix}-{self._region}-{name.lower()}",
            # Another description would replace the policy, which its fixed name forbids
            # (AWS CloudFormation, AWS::IAM::ManagedPolicy).
            description=description,
            statements=statements,
        )


def _look_statements(
    scope: Construct, bus: StageBus, query: lambda_.IFunction
) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(actions=["events:DescribeEventBus"], resources=[bus.arn]),
        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[query.function_arn]),
        iam.PolicyStatement(
            actions=["ssm:GetParameter", "ssm:GetParametersByPath"], resources=_parameters(scope)
        ),
        iam.PolicyStatement(actions=["logs:FilterLogEvents"], resources=[bus.log.log_group_arn]),
        iam.PolicyStatement(
            actions=["logs:FilterLogEvents"],
            resources=_task_logs(scope),
            conditions=OF_TASK_SERVERS,
        ),
        # For `dyna doctor`; neither takes a resource.
        iam.PolicyStatement(
            actions=["lambda:GetAccountSettings", "servicequotas:ListServiceQuotas"],
            resources=["*"],
        ),
    ]


def _key_statements(key: kms.IKey | None) -> list[iam.PolicyStatement]:
    """Return what reading and writing messages takes that a customer's key encrypts."""
    actions = ["kms:Decrypt", "kms:GenerateDataKey"]
    return [iam.PolicyStatement(actions=actions, resources=[key.key_arn])] if key else []


def _redrive_statements(
    queues: Sequence[str],
    dead_letters: Sequence[str],
    *,
    conditions: Mapping[str, Mapping[str, str]] | None = None,
) -> list[iam.PolicyStatement]:
    """Take messages from the dead letters, and put them back where they came from; all by ARN."""
    return [
        iam.PolicyStatement(
            actions=[
                "sqs:GetQueueUrl",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:PurgeQueue",
            ],
            resources=dead_letters,
            conditions=conditions,
        ),
        iam.PolicyStatement(
            actions=["sqs:GetQueueUrl", "sqs:SendMessage"],
            resources=queues,
            conditions=conditions,
        ),
    ]


def _redrive_statements_of_servers(scope: Construct) -> list[iam.PolicyStatement]:
    return _redrive_statements(
        [_queue_arn(scope, "*-work")],
        [_queue_arn(scope, f"*{DEAD_LETTER_SUFFIX}")],
        conditions=OF_TASK_SERVERS,
    )


def _queue_arn(scope: Construct, name: str) -> str:
    return Stack.of(scope).format_arn(service="sqs", resource=name)


def _parameters(scope: Construct) -> list[str]:
    """The parameters of all stages, and their path: `dyna` looks for the one with its bus."""
    stack = Stack.of(scope)
    return [
        stack.format_arn(service="ssm", resource="parameter", resource_name=name)
        for name in ("cordyna", "cordyna/*")
    ]


def _task_logs(scope: Construct) -> list[str]:
    """Return the log groups of all functions and containers.

    Which are task servers is not known here.
    """
    stack = Stack.of(scope)
    prefix = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group"
    return [f"{prefix}:/aws/lambda/*", f"{prefix}:/cordyna/*"]
