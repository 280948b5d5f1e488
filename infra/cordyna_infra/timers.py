"""The resources that deliver messages later: a state machine and a group of schedules.

Invariant: everything arrives in the timekeeper's queue, at least once. Up to 60 s ahead a wait
state is used, exact to the second; beyond, a one-shot schedule; every cron is a schedule of the
same group.
"""

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from cordyna_infra.handlers import HandlerQueue
from cordyna_infra.stage import Stage

_MAX_WAIT = Duration.minutes(4)


def waiting_in(scope: Construct) -> str:
    """Where page timers wait: the context value `cordyna:timers`, `states` (default) or `queue`.

    Raises ValueError for another value.
    """
    value = str(scope.node.try_get_context("cordyna:timers") or "states")
    if value not in ("states", "queue"):
        raise ValueError(f"cordyna:timers is {value!r}: it must be states or queue")
    return value


class TimerResources(Construct):
    """An Express state machine, a schedule group, and the role that schedules use."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, timekeeper: HandlerQueue
    ) -> None:
        super().__init__(scope, construct_id)
        self.wait = sfn.StateMachine(
            self,
            "Wait",
            state_machine_name=f"{stage.bus}-wait",
            state_machine_type=sfn.StateMachineType.EXPRESS,
            definition_body=sfn.DefinitionBody.from_chainable(
                self._wait_then_send(timekeeper.queue)
            ),
            timeout=_MAX_WAIT,
            comment="waits until `timestamp`, then sends `body` to the timekeeper",
        )
        self.group = scheduler.CfnScheduleGroup(self, "Schedules", name=stage.bus)
        self.sender = iam.Role(
            self,
            "Sender",
            description="permission of schedules: send to the timekeeper",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            ),
        )
        self.sender.add_to_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                resources=[timekeeper.queue.queue_arn, timekeeper.dead_letters.queue_arn],
            )
        )

    def start_wait_statement(self) -> iam.PolicyStatement:
        """The permission to start a wait."""
        return iam.PolicyStatement(
            actions=["states:StartExecution"], resources=[self.wait.state_machine_arn]
        )

    def schedule_statements(self, *actions: str) -> list[iam.PolicyStatement]:
        """The permission for `actions` on the schedules of the group, which use the sender's role
        only.
        """
        schedules = Stack.of(self).format_arn(
            service="scheduler", resource="schedule", resource_name=f"{self.group.name}/*"
        )
        return [
            iam.PolicyStatement(
                actions=[f"scheduler:{action}" for action in actions], resources=[schedules]
            ),
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self.sender.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
            ),
        ]

    def list_schedules_statement(self) -> iam.PolicyStatement:
        """The permission to list schedules.

        The action takes no resource (Service Authorization Reference, Amazon EventBridge
        Scheduler).
        """
        return iam.PolicyStatement(actions=["scheduler:ListSchedules"], resources=["*"])

    def _wait_then_send(self, queue: sqs.Queue) -> sfn.Chain:
        wait = sfn.Wait(
            self, "Wait until it is due", time=sfn.WaitTime.timestamp_path("$.timestamp")
        )
        send = tasks.SqsSendMessage(
            self,
            "Send to the timekeeper",
            queue=queue,
            message_body=sfn.TaskInput.from_json_path_at("$.body"),
        )
        send.add_retry(max_attempts=5, interval=Duration.seconds(1), backoff_rate=2)
        return sfn.Chain.start(wait).next(send)
