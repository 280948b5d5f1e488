"""CerebroStack: cerebro on AWS.

    bus -> rule -> queue -> registry, planner, tracker, incidents    a rule for each route
    wait state machine, schedule -> queue -> timekeeper
    every 15 minutes -> sweeper, once per partition       re-arms the timers of active runs
    `dyna` -> query                                       reads only

All of them share one table and one bus. Each has a role of its own. Idle, only the pollers of five
queues cost something (docs/operating.md).
"""

from typing import Final

from aws_cdk import Duration, RemovalPolicy, Stack, Tags
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from cordyna_cdk import GuardedFunction, put_events_statement
from cordyna_cdk.dead_letters import dead_letter_queue
from cordyna_cdk.discovery import ParameterName, parameter_name
from cordyna_cdk.guarded_function import architecture_of, runtime_of
from cordyna_core.contract.ids import CEREBRO, SCHEDULER
from cordyna_core.contract.registry import Sender, published_by, sent_by
from cordyna_infra.asset_folders import cerebro_folder, layer_folder
from cordyna_infra.bus import StageBus
from cordyna_infra.capacity import capacities
from cordyna_infra.encryption import allow_key, customer_key
from cordyna_infra.handlers import (
    HANDLERS,
    INVOKED,
    QUEUE_FED,
    HandlerQueue,
    HandlerSpec,
    handler_function,
)
from cordyna_infra.operator_policies import OperatorPolicies
from cordyna_infra.rollout import ALIAS, Rollout, shift_config
from cordyna_infra.stage import Stage
from cordyna_infra.state_table import state_table
from cordyna_infra.timers import TimerResources, waiting_in

_SWEEP_EVERY = Duration.minutes(15)
SWEEP_SHARDS: Final = 4
"""Partitions of the active runs (cerebro.adapters.aws.dynamodb_run_marks), each swept by itself."""


class CerebroStack(Stack):
    """The cerebro of one stage."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, description: str
    ) -> None:
        super().__init__(
            scope, construct_id, description=description, termination_protection=stage.protected
        )
        self.stage_ = stage
        Tags.of(self).add("cordyna:stage", stage.name)
        Tags.of(self).add("cordyna:part", "cerebro")
        self._key = customer_key(self, "Key", stage=stage)
        self.bus = StageBus(self, "Bus", stage=stage, key=self._key)
        self.table = state_table(self, "State", stage=stage, key=self._key)
        self.layer = self._layer()
        self.queues = self._queues()
        self.timers = TimerResources(
            self,
            "TimerResources",
            stage=stage,
            timekeeper=self.queues["timekeeper"],
            table=self.table,
        )
        self.dead_letters = self._dead_letters()
        self._capacities = capacities(self)
        self.functions = self._functions()
        targets_by_name = self._targets()
        for name, queue in self.queues.items():
            queue.feed(self.functions[name], targets_by_name[name], self._capacities[name])
        self._query_name = f"{stage.bus}-query" + (
            f":{ALIAS}" if targets_by_name["query"] is not self.functions["query"] else ""
        )
        allow_key(
            self._key,
            [*self.functions.values(), self.timers.sender, self.timers.wait],
        )
        self._schedule_sweep()
        self._restrict_publishers()
        self._publish_ssm_parameters()
        self._create_operator_policies(targets_by_name["query"])

    @property
    def all_dead_letters(self) -> dict[str, sqs.Queue]:
        """Every dead-letter queue of this stack, by the name of what it belongs to."""
        return {**self.dead_letters, "log": self.bus.dead_letters}

    def _queues(self) -> dict[str, HandlerQueue]:
        return {
            name: HandlerQueue(
                self,
                f"{name.capitalize()}Queue",
                name=name,
                stage=self.stage_,
                bus=self.bus.bus,
                key=self._key,
            )
            for name in QUEUE_FED
        }

    def _dead_letters(self) -> dict[str, sqs.Queue]:
        """Return those of the queues, and one for each function that is invoked without a queue."""
        of_queues = {name: queue.dead_letters for name, queue in self.queues.items()}
        return of_queues | {
            name: dead_letter_queue(
                self,
                f"{self.stage_.bus}-{name}",
                construct_id=f"{name.capitalize()}DeadLetters",
                key=self._key,
            )
            for name in INVOKED
        }

    def _layer(self) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            "CordynaCore",
            layer_version_name=f"{self.stage_.bus}-core",
            description="cordyna_core with its packages for AWS",
            code=lambda_.Code.from_asset(str(layer_folder(self))),
            compatible_runtimes=[runtime_of(self)],
            compatible_architectures=[architecture_of(self)],
            # Teams' functions keep the version that they were deployed with.
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
            "CORDYNA_INCIDENTS_QUEUE_URL": self.queues["incidents"].queue.queue_url,
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
                environment=environment | {"CORDYNA_TIMERS": self._waiting_in(name)},
                dead_letters=self.dead_letters[name],
                key=self._key,
                queue=self.queues[name].queue if name in self.queues else None,
                reserved_concurrency=self._capacities[name].reserved_concurrency
                if name in self._capacities
                else None,
            )
            for statement in self._statements(name):
                functions[name].add_to_role_policy(statement)
        return functions

    def _targets(self) -> dict[str, lambda_.IFunction]:
        """Return what is invoked: the functions, or their aliases where traffic is shifted."""
        config = shift_config(self)
        if config is None:
            return dict(self.functions)
        rollout = Rollout(
            self,
            "Rollout",
            functions={name: self.functions[name] for name in (*QUEUE_FED, "query")},
            config=config,
            prefix=self.stage_.bus,
        )
        return {**self.functions, **rollout.aliases}

    def _waiting_in(self, name: str) -> str:
        """Return where the page timers that `name` sends wait."""
        return "queue" if HANDLERS[name].starts_no_waits else waiting_in(self)

    def _statements(self, name: str) -> list[iam.PolicyStatement]:
        """Return the permissions of `name`: HANDLERS and the registry, as IAM statements."""
        spec = HANDLERS[name]
        statements = self._table_statements(spec)
        as_scheduler = set(published_by(name)) & set(sent_by(Sender.SCHEDULER))
        for source, published in (
            (CEREBRO, set(published_by(name)) - as_scheduler),
            (SCHEDULER, as_scheduler),
        ):
            if published:
                statements.append(put_events_statement(self.bus.arn, [source], sorted(published)))
        if spec.delays_page_timers:
            statements += self.timers.schedule_statements("CreateSchedule")
            if not spec.starts_no_waits:
                statements.append(self.timers.start_wait_statement())
        if spec.manages_crons:
            statements += [
                self.timers.list_schedules_statement(),
                *self.timers.schedule_statements("CreateSchedule", "DeleteSchedule"),
            ]
        sends_to = [self.dead_letters[name]]
        sends_to += [self.queues["timekeeper"].queue] if spec.sends_page_timers else []
        sends_to += [self.queues["tracker"].queue] if spec.sends_fan_outs else []
        sends_to += [self.queues["incidents"].queue] if spec.sends_notices else []
        statements.append(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"], resources=[queue.queue_arn for queue in sends_to]
            )
        )
        return statements

    def _table_statements(self, spec: HandlerSpec) -> list[iam.PolicyStatement]:
        reads = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"]
        writes = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
        table = [self.table.table_arn]
        statements = [
            iam.PolicyStatement(
                actions=reads + writes if spec.writes_table else reads, resources=table
            )
        ]
        if spec.writes_keys:
            keys = {"dynamodb:LeadingKeys": [*spec.writes_keys]}
            statements.append(
                iam.PolicyStatement(
                    actions=writes, resources=table, conditions={"ForAllValues:StringLike": keys}
                )
            )
        return statements

    def _create_operator_policies(self, query: lambda_.IFunction) -> None:
        OperatorPolicies(
            self,
            "OperatorPolicies",
            stage=self.stage_,
            bus=self.bus,
            timers=self.timers,
            query=query,
            sweeper=self.functions["sweeper"],
            queues=[queue.queue for queue in self.queues.values()],
            dead_letters=list(self.all_dead_letters.values()),
            key=self._key,
        )

    def _schedule_sweep(self) -> None:
        events.Rule(
            self,
            "Sweep",
            description="periodic sweep of active runs",
            schedule=events.Schedule.rate(_SWEEP_EVERY),
            targets=[
                targets.LambdaFunction(
                    self.functions["sweeper"],
                    event=events.RuleTargetInput.from_object({"shard": shard}),
                    dead_letter_queue=self.dead_letters["sweeper"],
                )
                for shard in range(SWEEP_SHARDS)
            ],
        )

    def _restrict_publishers(self) -> None:
        publishers = [function for name, function in self.functions.items() if published_by(name)]
        self.bus.restrict(
            cerebro=[role for function in publishers if (role := function.role)],
            guests=self.node.try_get_context("cordyna:accounts") or {},
        )

    def _publish_ssm_parameters(self) -> None:
        parameters: dict[ParameterName, str] = {
            "bus": self.bus.bus.event_bus_name,
            "table": self.table.table_name,
            "query": self._query_name,
            "layer": self.layer.layer_version_arn,
            "events-log": self.bus.log.log_group_name,
            "schedule-group": self.timers.group.ref,
        }
        for name, value in parameters.items():
            ssm.StringParameter(
                self,
                f"Parameter-{name}",
                parameter_name=parameter_name(self.stage_.name, name),
                string_value=value,
            )
