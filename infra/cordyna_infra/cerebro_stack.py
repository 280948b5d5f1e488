"""CerebroStack: cerebro on AWS.

    bus -> rule -> queue -> registry, planner, tracker        a rule for each route of cerebro.dispatch
    wait state, schedule -> queue -> timekeeper
    every 15 minutes -> sweeper                               guards the guardians
    a person's `dyna` -> query                                reads only

All of them share one table and one bus. Each has a role of its own. Nothing here costs anything while nothing happens, except the
pollers of four queues (docs/operating.md).
"""

from aws_cdk import Duration, RemovalPolicy, Stack, Tags
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from cordyna_cdk import GuardedFunction, may_say
from cordyna_cdk.dead_letters import dead_letter_queue
from cordyna_cdk.discovery import Found, parameter_name
from cordyna_cdk.guarded_function import architecture_of, runtime_of
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import CEREBRO, SCHEDULER
from cordyna_infra.bus import Bus
from cordyna_infra.folders import cerebro_folder, layer_folder
from cordyna_infra.handlers import CALLED, HANDLERS, ON_QUEUES, HandlerQueue, handler_function
from cordyna_infra.operator_policies import OperatorPolicies
from cordyna_infra.stage import Stage
from cordyna_infra.state import state_table
from cordyna_infra.timers import TimerResources

_SWEEP_EVERY = Duration.minutes(15)


class CerebroStack(Stack):
    """One stage's cerebro."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, description: str
    ) -> None:
        super().__init__(
            scope, construct_id, description=description, termination_protection=stage.protected
        )
        self.stage_ = stage
        Tags.of(self).add("cordyna:stage", stage.name)
        Tags.of(self).add("cordyna:part", "cerebro")
        self.bus = Bus(self, "Bus", stage=stage)
        self.table = state_table(self, "State", stage=stage)
        self.layer = self._layer()
        self.queues = {
            name: HandlerQueue(
                self, f"{name.capitalize()}Queue", name=name, stage=stage, bus=self.bus.bus
            )
            for name in ON_QUEUES
        }
        self.timers = TimerResources(
            self, "TimerResources", stage=stage, queues=self.queues["timekeeper"]
        )
        self.dead_letters: dict[str, sqs.Queue] = {
            name: queue.dead_letters for name, queue in self.queues.items()
        }
        self.dead_letters |= {
            name: dead_letter_queue(
                self, f"{stage.bus}-{name}", construct_id=f"{name.capitalize()}DeadLetters"
            )
            for name in CALLED
        }
        self.functions = self._functions()
        for name, queue in self.queues.items():
            queue.feed(self.functions[name])
        self._sweep()
        self._restrict_who_speaks()
        self._tell_where_things_are()
        OperatorPolicies(self, "OperatorPolicies", cerebro=self)

    @property
    def all_dead_letters(self) -> dict[str, sqs.Queue]:
        """Every dead-letter queue of this stack, by what it belongs to."""
        return {**self.dead_letters, "log": self.bus.dead_letters}

    def _layer(self) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            "CordynaCore",
            layer_version_name=f"{self.stage_.bus}-core",
            description="cordyna_core with what it needs on AWS",
            code=lambda_.Code.from_asset(str(layer_folder(self))),
            compatible_runtimes=[runtime_of(self)],
            compatible_architectures=[architecture_of(self)],
            # Teams' functions go on with the version that they were deployed with.
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _functions(self) -> dict[str, GuardedFunction]:
        code = lambda_.Code.from_asset(str(cerebro_folder(self)))
        environment = {
            "CORDYNA_STAGE": self.stage_.name,
            "CORDYNA_BUS": self.bus.bus.event_bus_name,
            "CORDYNA_TABLE": self.table.table_name,
            "CORDYNA_TIMEKEEPER_QUEUE_URL": self.queues["timekeeper"].queue.queue_url,
            "CORDYNA_TIMEKEEPER_QUEUE_ARN": self.queues["timekeeper"].queue.queue_arn,
            "CORDYNA_TRACKER_QUEUE_URL": self.queues["tracker"].queue.queue_url,
            "CORDYNA_WAIT_STATE_MACHINE_ARN": self.timers.wait.state_machine_arn,
            "CORDYNA_SCHEDULE_GROUP": self.timers.group.ref,
            "CORDYNA_SCHEDULER_ROLE_ARN": self.timers.sender.role_arn,
            "CORDYNA_SCHEDULE_DEAD_LETTER_ARN": self.queues["timekeeper"].dead_letters.queue_arn,
            "CORDYNA_RETENTION_DAYS": str(self.stage_.retention_days),
        }
        functions = {}
        for name in HANDLERS:
            functions[name] = handler_function(
                self,
                name,
                stage=self.stage_,
                code=code,
                layer=self.layer,
                environment=environment,
                dead_letters=self.dead_letters[name],
            )
            for statement in self._may(name):
                functions[name].add_to_role_policy(statement)
        return functions

    def _may(self, name: str) -> list[iam.PolicyStatement]:
        """What the table HANDLERS says of `name`, as IAM statements."""
        handler = HANDLERS[name]
        reads = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"]
        writes = (
            ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
            if handler.writes
            else []
        )
        may = [iam.PolicyStatement(actions=reads + writes, resources=[self.table.table_arn])]
        if handler.says:
            may.append(may_say(self.bus.arn, [CEREBRO], [kind.__name__ for kind in handler.says]))
        if handler.ticks:
            may.append(may_say(self.bus.arn, [SCHEDULER], [InvokeTask.__name__]))
        if handler.sets_timers:
            may += [self.timers.may_wait(), *self.timers.may_schedule("CreateSchedule")]
        if handler.keeps_crons:
            may += [
                self.timers.may_list(),
                *self.timers.may_schedule("CreateSchedule", "DeleteSchedule"),
            ]
        sends_to = [self.dead_letters[name]]
        sends_to += [self.queues["timekeeper"].queue] if handler.rings else []
        sends_to += [self.queues["tracker"].queue] if handler.walks else []
        may.append(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"], resources=[queue.queue_arn for queue in sends_to]
            )
        )
        return may

    def _sweep(self) -> None:
        events.Rule(
            self,
            "Sweep",
            description="the guardians' guardian",
            schedule=events.Schedule.rate(_SWEEP_EVERY),
            targets=[
                targets.LambdaFunction(
                    self.functions["sweeper"], dead_letter_queue=self.dead_letters["sweeper"]
                )
            ],
        )

    def _restrict_who_speaks(self) -> None:
        speakers = [name for name, handler in HANDLERS.items() if handler.says]
        self.bus.restrict(
            cerebro=[role for name in speakers if (role := self.functions[name].role)],
            guests=self.node.try_get_context("cordyna:accounts") or {},
        )

    def _tell_where_things_are(self) -> None:
        found: dict[Found, str] = {
            "bus": self.bus.bus.event_bus_name,
            "table": self.table.table_name,
            "query": self.functions["query"].function_name,
            "layer": self.layer.layer_version_arn,
            "events-log": self.bus.log.log_group_name,
            "schedule-group": self.timers.group.ref,
        }
        for name, value in found.items():
            ssm.StringParameter(
                self,
                f"Where-{name}",
                parameter_name=parameter_name(self.stage_.name, name),
                string_value=value,
            )
