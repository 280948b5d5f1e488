"""The resources that deliver messages later: a state machine and a group of schedules.

Invariant: everything arrives in the timekeeper's queue, at least once. Up to 60 s ahead a wait
state is used, exact to the second; beyond, a one-shot schedule, which fires up to a minute early;
every cron is a schedule of the same group. What arrives early waits for the rest as a delayed
message of that queue: the timekeeper starts no wait state.

Most runs have completed before their timer is due, and it would find nothing to do: after its wait
the state machine reads the run, and ends. That costs a read instead of a message and an invocation.
Where the sender says so (cerebro.adapters.aws.timers), it also reads the run before, because a read
costs less than a longer wait.
"""

from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from cordyna_infra.handlers import HandlerQueue
from cordyna_infra.stage import Stage

EARLY_LOOKS: Final = ("first", "second", "third")
"""The seconds before each look (cerebro.adapters.aws.timers.EARLY_LOOKS_S)."""

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
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        timekeeper: HandlerQueue,
        table: dynamodb.ITable,
    ) -> None:
        super().__init__(scope, construct_id)
        self.wait = sfn.StateMachine(
            self,
            "Wait",
            state_machine_name=f"{stage.bus}-wait",
            state_machine_type=sfn.StateMachineType.EXPRESS,
            definition_body=sfn.DefinitionBody.from_chainable(
                self._wait_then_send(timekeeper.queue, table)
            ),
            timeout=_MAX_WAIT,
            role=iam.Role(
                self,
                "WaitRole",
                description="permissions of the waits: read a run, send to the timekeeper",
                assumed_by=iam.ServicePrincipal(
                    "states.amazonaws.com",
                    conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
                ),
            ),
            comment="waits for `seconds`, then sends `body` to the timekeeper, unless the run "
            "that `run` names has completed",
        )
        self.group = scheduler.CfnScheduleGroup(self, "Schedules", name=stage.bus)
        self.sender = iam.Role(
            self,
            "Sender",
            description="permission of schedules: send to the timekeeper",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": Stack.of(self).account},
                    "ArnLike": {"aws:SourceArn": self._own_group},
                },
            ),
        )
        self.sender.add_to_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                resources=[timekeeper.queue.queue_arn, timekeeper.dead_letters.queue_arn],
            )
        )

    @property
    def _own_group(self) -> str:
        """The group of the schedules that may use the role."""
        return Stack.of(self).format_arn(
            service="scheduler", resource="schedule-group", resource_name=self.group.name
        )

    def start_wait_statement(self) -> iam.PolicyStatement:
        """Return the permission to start a wait."""
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
        """Return the permission to list schedules.

        The action takes no resource (Service Authorization Reference, Amazon EventBridge
        Scheduler).
        """
        return iam.PolicyStatement(actions=["scheduler:ListSchedules"], resources=["*"])

    def _wait_then_send(self, queue: sqs.Queue, table: dynamodb.ITable) -> sfn.Chain:
        wait = sfn.Wait(self, "Wait until it is due", time=sfn.WaitTime.seconds_path("$.seconds"))
        # A function of an older version says only when.
        wait_until = sfn.Wait(
            self, "Wait until a time", time=sfn.WaitTime.timestamp_path("$.timestamp")
        )
        send = tasks.SqsSendMessage(
            self,
            "Send to the timekeeper",
            queue=queue,
            message_body=sfn.TaskInput.from_json_path_at("$.body"),
        )
        send.add_retry(max_attempts=5, interval=Duration.seconds(1), backoff_rate=2)
        nothing_to_do = sfn.Succeed(self, "Nothing to do")
        read = self._unless_completed("Read its run", table, nothing_to_do, otherwise=send)
        # The timer of an incident, or of an older version, names no run.
        names_run = (
            sfn.Choice(self, "Is it of a run?")
            .when(sfn.Condition.is_present("$.run"), read)
            .otherwise(send)
        )
        looks = wait
        for name in reversed(EARLY_LOOKS):
            earlier = sfn.Wait(
                self, f"Wait for its {name} look", time=sfn.WaitTime.seconds_path(f"$.{name}")
            )
            earlier.next(
                self._unless_completed(
                    f"Take its {name} look", table, nothing_to_do, otherwise=looks
                )
            )
            looks = earlier
        wait.next(names_run)
        wait_until.next(names_run)
        return sfn.Chain.start(
            sfn.Choice(self, "How does it wait?")
            .when(sfn.Condition.is_present(f"$.{EARLY_LOOKS[0]}"), looks)
            .when(sfn.Condition.is_present("$.seconds"), wait)
            .otherwise(wait_until)
        )

    def _unless_completed(
        self,
        name: str,
        table: dynamodb.ITable,
        completed: sfn.Succeed,
        *,
        otherwise: sfn.IChainable,
    ) -> sfn.IChainable:
        """Read the run, and continue with `otherwise` unless it has completed."""
        read = self._read_run(name, table)
        # What cannot be read may still run.
        read.add_catch(otherwise, result_path="$.error")
        is_completed = sfn.Condition.and_(
            sfn.Condition.is_present("$.found.Item.status.S"),
            sfn.Condition.string_equals("$.found.Item.status.S", "completed"),
        )
        return read.next(
            sfn.Choice(self, f"{name}: has it completed?")
            .when(is_completed, completed)
            .otherwise(otherwise)
        )

    def _read_run(self, name: str, table: dynamodb.ITable) -> tasks.DynamoGetItem:
        """Read the status of the run as cerebro stores it (cerebro.adapters.aws.dynamodb_runs)."""
        key = {"pk": sfn.JsonPath.string_at("$.run"), "sk": "META"}
        return tasks.DynamoGetItem(
            self,
            name,
            table=table,
            key={
                field: tasks.DynamoAttributeValue.from_string(value) for field, value in key.items()
            },
            consistent_read=True,
            projection_expression=[tasks.DynamoProjectionExpression().with_attribute("#status")],
            expression_attribute_names={"#status": "status"},
            result_path="$.found",
        )
