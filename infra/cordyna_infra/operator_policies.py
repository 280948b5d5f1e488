"""People: two policies to attach to whoever works with cordyna; they are given to nobody here.

Law: who invokes may ask and look, and speaks as a client only. Who operates may also redrive dead letters, pause crons and call
the roll.
"""

from typing import TYPE_CHECKING, Final

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from cordyna_cdk import may_say
from cordyna_cdk.discovery import SERVER_TAG
from cordyna_cdk.permissions import SPOKEN_BY_CLIENTS
from cordyna_core.contract.ids import CLIENT

if TYPE_CHECKING:
    from cordyna_infra.cerebro_stack import CerebroStack

OF_TASK_SERVERS: Final = {"Null": {f"aws:ResourceTag/{SERVER_TAG}": "false"}}
"""What carries the tag of a task server, whatever its value: an account has other functions, and their logs are nobody's business here."""


class OperatorPolicies(Construct):
    """`<bus>-invoke` and `<bus>-operate`."""

    def __init__(self, scope: Construct, construct_id: str, *, cerebro: "CerebroStack") -> None:
        super().__init__(scope, construct_id)
        stage = cerebro.stage_
        self.invoke = iam.ManagedPolicy(
            self,
            "Invoke",
            managed_policy_name=f"{stage.bus}-invoke",
            description="invoke, cancel and retry on cordyna, and see what happens",
            statements=[
                may_say(cerebro.bus.arn, [CLIENT], SPOKEN_BY_CLIENTS),
                iam.PolicyStatement(
                    actions=["events:DescribeEventBus"], resources=[cerebro.bus.arn]
                ),
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"],
                    resources=[cerebro.functions["query"].function_arn],
                ),
                iam.PolicyStatement(
                    actions=["ssm:GetParameter", "ssm:GetParametersByPath"],
                    resources=[_parameters(cerebro)],
                ),
                iam.PolicyStatement(
                    actions=["logs:FilterLogEvents"], resources=[cerebro.bus.log.log_group_arn]
                ),
                iam.PolicyStatement(
                    actions=["logs:FilterLogEvents"],
                    resources=_task_logs(cerebro),
                    conditions=OF_TASK_SERVERS,
                ),
            ],
        )
        self.operate = iam.ManagedPolicy(
            self,
            "Operate",
            managed_policy_name=f"{stage.bus}-operate",
            description="look into dead letters and redrive them; pause and resume crons; call the roll",
            statements=[
                iam.PolicyStatement(
                    actions=[
                        "sqs:GetQueueUrl",
                        "sqs:GetQueueAttributes",
                        "sqs:ReceiveMessage",
                        "sqs:DeleteMessage",
                    ],
                    resources=[queue.queue_arn for queue in cerebro.all_dead_letters.values()],
                ),
                iam.PolicyStatement(
                    actions=["sqs:GetQueueUrl", "sqs:SendMessage"],
                    resources=[queue.queue.queue_arn for queue in cerebro.queues.values()],
                ),
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"],
                    resources=[cerebro.functions["sweeper"].function_arn],
                ),
                cerebro.timers.may_list(),
                *cerebro.timers.may_schedule("GetSchedule", "UpdateSchedule"),
            ],
        )


def _parameters(cerebro: "CerebroStack") -> str:
    """Of all stages: `dyna` looks for the one whose bus it is told."""
    return Stack.of(cerebro).format_arn(
        service="ssm", resource="parameter", resource_name="cordyna/*"
    )


def _task_logs(cerebro: "CerebroStack") -> list[str]:
    """The log groups of functions and containers: for `dyna logs` every task server's, which are not known here."""
    here = f"arn:{cerebro.partition}:logs:{cerebro.region}:{cerebro.account}:log-group"
    return [f"{here}:/aws/lambda/*", f"{here}:/cordyna/*"]
