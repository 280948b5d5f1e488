"""TaskServer: a team's task server on AWS, in the team's own stack.

    server = {"code": "src", "server": "sales.server:server"}
    TaskServer(self, "Sales", **server, max_concurrency=10)      a work queue, ten bodies at a time
    TaskServer(self, "Sales", **server, max_concurrency="unlimited")      a Lambda per command
    TaskServer(self, "Sales", **server, container=Container())   a work queue, and Fargate

A *queue ingress* sends the command to a work queue, which feeds the workers, and a check of it to a
second queue, so that `queued` is published if its body does not begin within 3 s. Without them, the
rule invokes the function itself, which must start the body within the acknowledgement clock.

Invariant: the server receives only what its route names (`cordyna_core.contract.server_route`),
publishes only what a server may and only under its own source, and runs the body of an attempt at
most once. It is declared after every deployment.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from aws_cdk import Duration, IgnoreMode, Tags, aws_events_targets
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cordyna_cdk import entry_points
from cordyna_cdk.acknowledgement_checks import AcknowledgementChecks
from cordyna_cdk.claims_table import claims_table
from cordyna_cdk.container import Container, ContainerWorkers
from cordyna_cdk.dead_letters import dead_letter_queue, fed_queue
from cordyna_cdk.declaration_resource import DeclarationResource
from cordyna_cdk.discovery import SERVER_TAG, Discovery, stage_of
from cordyna_cdk.failure_destination import FailureDestination
from cordyna_cdk.guarded_function import GuardedFunction
from cordyna_cdk.lambda_workers import LambdaWorkers, checked_concurrency
from cordyna_cdk.loaded_server import (
    LoadedServer,
    body_timeout_s,
    check_lambda_timeouts,
    read_server,
)
from cordyna_cdk.permissions import put_events_statement
from cordyna_cdk.started_after import started_after_variable
from cordyna_core.aws.deployed_names import deployed_name
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.registry import Sender, sent_by
from cordyna_core.contract.server_route import event_pattern

DEFAULT_CONCURRENCY: Final = 20
_NOT_CODE: Final = (
    *("**/__pycache__", "**/*.egg-info", "Dockerfile", "wheels"),
    # The folder may be that of a whole project.
    *(".git", ".venv", "venv", "node_modules", "cdk.out", ".cordyna", ".pytest_cache"),
)
INGRESS_TIMEOUT: Final = Duration.seconds(30)


class TaskServer(Construct):
    """A task server, subscribed to the bus of its stage.

    Args:
        code: the folder that holds the server's module; for a container also its Dockerfile.
        server: the server in that folder, `package.module:name`.
        managed_instances: with "unlimited": the function runs on Lambda Managed Instances, where a
            body may take 90 minutes; add `target` to your capacity provider.
        max_concurrency: concurrent bodies, 2 to 1,000; the others are `queued`. Default: 20, so
            that a fan-out does not take the account's Lambdas. "unlimited": no work queue, each
            command starts its body at once.
        container: run the bodies in Fargate, scaled to zero when idle.
        stage: of cerebro; default: the context value `cordyna:stage`, else `production`.
        layers: default: the `cordyna_core` layer of cerebro's stack. A team that pins the library
            itself passes its own.
        environment, memory_mb, timeout: of the function that runs the bodies; default timeout: the
            longest of AWS.
        log_retention: of the logs of its bodies and of the functions before them.
        started_after: at most 5 s; a body that ends sooner reports its end only, which costs about
            a third less (docs/deploying.md#costs). Default: 1 s, and less where the clock of a task
            is short. `Duration.seconds(0)`: each body is reported as `started` at once.

    Raises:
        UserError: the server cannot be loaded, or a Lambda cannot run what it declares, or
            `started_after` is longer than half of a task's clock.
        ValueError: a max_concurrency that SQS does not take, a timeout that Lambda does not take,
            one of them and a container, or a `started_after` above 5 s.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        code: str | Path,
        server: str,
        max_concurrency: int | Literal["unlimited"] | None = None,
        container: Container | None = None,
        stage: str | None = None,
        layers: Sequence[lambda_.ILayerVersion] | None = None,
        environment: Mapping[str, str] | None = None,
        memory_mb: int = 512,
        timeout: Duration | None = None,
        managed_instances: bool = False,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
        started_after: Duration | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        if container is not None and max_concurrency is not None:
            raise ValueError(
                "a container limits its bodies by Container(workers=..., max_instances=...), "
                "not by max_concurrency"
            )
        if container is not None and timeout is not None:
            raise ValueError("a container has no timeout: a body runs as long as its task declares")
        if managed_instances and max_concurrency != "unlimited":
            raise ValueError(
                "managed_instances needs max_concurrency='unlimited': only an asynchronous "
                "invocation may take 90 minutes"
            )
        self.loaded: Final[LoadedServer] = read_server(code, server)
        Tags.of(self).add(SERVER_TAG, self.loaded.name)
        stage = stage or stage_of(self)
        self._discovery = Discovery(self, stage)
        self._name = deployed_name(self.loaded.name, stage)
        self._layers = layers
        self._timeout_s = body_timeout_s(timeout, managed_instances=managed_instances)
        self._memory_mb, self._log_retention = memory_mb, log_retention
        self.claims: Final = claims_table(self)
        self.dead_letters: Final[list[sqs.Queue]] = [dead_letter_queue(self, self._name)]
        self.environment: Final = {
            "CORDYNA_BUS": self.bus.event_bus_name,
            "CORDYNA_CLAIMS_TABLE": self.claims.table_name,
            "CORDYNA_SERVER": server,
            **started_after_variable(
                started_after, self.loaded, is_queued=max_concurrency != "unlimited"
            ),
            **(environment or {}),
        }
        if container is not None:
            self._add_container(container)
        elif max_concurrency == "unlimited":
            self._add_direct_function()
        else:
            self._add_queue_worker(
                DEFAULT_CONCURRENCY
                if max_concurrency is None
                else checked_concurrency(max_concurrency)
            )
        self._subscribe()
        self._declare_after_deployment()

    @property
    def dead_letter_names(self) -> dict[str, str]:
        """What a dead-letter queue belongs to -> its name, known before it is deployed."""
        owners = (self._name, f"{self._name}-work")[: len(self.dead_letters)]
        return {owner: f"{owner}-dead-letters" for owner in owners}

    @cached_property
    def bus(self) -> events.IEventBus:
        """The bus of the stage."""
        return events.EventBus.from_event_bus_name(self, "Bus", self._discovery.find("bus"))

    @cached_property
    def layers(self) -> Sequence[lambda_.ILayerVersion]:
        """The layers of every function of this server."""
        if self._layers is not None:
            return self._layers
        return [
            lambda_.LayerVersion.from_layer_version_arn(
                self, "CordynaCore", self._discovery.find("layer")
            )
        ]

    def _add_direct_function(self) -> None:
        check_lambda_timeouts(self.loaded, self._timeout_s)
        reporter = self._function(
            "Failures",
            f"{self._name}-failures",
            entry_points.FAILED,
            INGRESS_TIMEOUT,
            256,
            dead_letters=self.dead_letters[0],
        )
        self._allow_publishing(reporter)
        self.target = self._function(
            "Function",
            self._name,
            entry_points.SERVER,
            Duration.seconds(self._timeout_s),
            self._memory_mb,
            dead_letters=self.dead_letters[0],
            on_failure=FailureDestination(reporter),
        )
        self.body_grantee: iam.IGrantable = self.target
        self._allow_running_bodies(self.target)

    def _add_queue_worker(self, max_concurrency: int) -> None:
        check_lambda_timeouts(self.loaded, self._timeout_s)
        queue = self._add_queue_ingress(handled_within=Duration.seconds(self._timeout_s))
        worker = self._function(
            "Worker",
            f"{self._name}-worker",
            entry_points.WORKER,
            Duration.seconds(self._timeout_s),
            self._memory_mb,
            dead_letters=None,
        )
        LambdaWorkers(
            self, "Workers", function=worker, queue=queue, max_concurrency=max_concurrency
        )
        # It keeps a message only while its body runs: a worker that died is seen in a minute.
        worker.add_to_role_policy(
            iam.PolicyStatement(
                actions=["sqs:ChangeMessageVisibility"], resources=[queue.queue_arn]
            )
        )
        self.body_grantee = worker
        self._allow_running_bodies(worker)

    def _add_container(self, container: Container) -> None:
        # serve() sets the visibility of a message itself, and extends it while a body runs.
        queue = self._add_queue_ingress(handled_within=Duration.seconds(10))
        workers = ContainerWorkers(
            self,
            "Workers",
            server=self.loaded,
            name=self._name,
            container=container,
            network=self._discovery,
            queue=queue,
            ingress=self.target,
            environment=self.environment,
            log_retention=self._log_retention,
        )
        self.body_grantee = workers.role
        self._allow_running_bodies(workers.role)

    def _add_queue_ingress(self, *, handled_within: Duration) -> sqs.Queue:
        """The work queue; the ingress function that feeds it becomes the target of the rule."""
        name = self._name
        work_dead_letters = dead_letter_queue(self, f"{name}-work", construct_id="WorkDeadLetters")
        queue = fed_queue(
            self,
            f"{name}-work",
            work_dead_letters,
            handled_within=handled_within,
            construct_id="WorkQueue",
        )
        self.dead_letters.append(work_dead_letters)
        acknowledger = self._function(
            "Acknowledger",
            f"{name}-checks",
            entry_points.CHECKS,
            INGRESS_TIMEOUT,
            512,
            dead_letters=None,
        )
        self._allow_publishing(acknowledger)
        self._allow_claims(acknowledger, "BatchGetItem", "UpdateItem")
        self.environment["CORDYNA_QUEUE_URL"] = queue.queue_url
        self.work_queue = queue
        self.target = self._function(
            "Ingress",
            f"{name}-ingress",
            entry_points.INGRESS,
            INGRESS_TIMEOUT,
            256,
            dead_letters=self.dead_letters[0],
        )
        self.target.add_to_role_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn])
        )
        self._allow_publishing(self.target)
        # It writes cancellations, which the process that runs the body reads.
        self._allow_claims(self.target, "UpdateItem")
        AcknowledgementChecks(
            self,
            "Checks",
            name=name,
            ingress=self.target,
            function=acknowledger,
            timeout=INGRESS_TIMEOUT,
            dead_letters=self.dead_letters[0],
        )
        return queue

    def _function(
        self,
        construct_id: str,
        name: str,
        handler: str,
        timeout: Duration,
        memory_mb: int,
        *,
        dead_letters: sqs.Queue | None,
        on_failure: FailureDestination | None = None,
    ) -> GuardedFunction:
        return GuardedFunction(
            self,
            construct_id,
            name=name,
            handler=handler,
            code=lambda_.Code.from_asset(
                str(self.loaded.folder),
                exclude=list(_NOT_CODE),
                ignore_mode=IgnoreMode.GLOB,
            ),
            layers=self.layers,
            environment=self.environment,
            timeout=timeout,
            memory_mb=memory_mb,
            log_retention=self._log_retention,
            dead_letters=dead_letters,
            on_failure=on_failure,
        )

    def _allow_publishing(self, grantee: iam.IGrantable) -> None:
        grantee.grant_principal.add_to_principal_policy(
            put_events_statement(
                self.bus.event_bus_arn, [server_source(self.loaded.name)], sent_by(Sender.SERVER)
            )
        )

    def _allow_running_bodies(self, grantee: iam.IGrantable) -> None:
        self._allow_publishing(grantee)
        self._allow_claims(grantee, "GetItem", "PutItem", "UpdateItem")

    def _allow_claims(self, grantee: iam.IGrantable, *actions: str) -> None:
        allowed = iam.PolicyStatement(
            actions=[f"dynamodb:{action}" for action in actions], resources=[self.claims.table_arn]
        )
        grantee.grant_principal.add_to_principal_policy(allowed)

    def _subscribe(self) -> None:
        pattern = event_pattern(self.loaded.name)
        events.Rule(
            self,
            "Route",
            event_bus=self.bus,
            description=f"commands of cerebro to {self.loaded.name}",
            event_pattern=events.EventPattern(
                source=pattern["source"],
                detail_type=pattern["detail-type"],
                detail=pattern["detail"],
            ),
            targets=[
                aws_events_targets.LambdaFunction(
                    self.target,
                    dead_letter_queue=self.dead_letters[0],
                    max_event_age=Duration.seconds(60),
                )
            ],
        )

    def _declare_after_deployment(self) -> None:
        parts = list(self.node.children)
        declaration = DeclarationResource(
            self,
            "Deployment",
            server=self.loaded,
            name=f"{self._name}-deployment",
            bus_name=self.bus.event_bus_name,
            bus_arn=self.bus.event_bus_arn,
            query_function=self._discovery.find("query"),
        )
        declaration.resource.node.add_dependency(*parts)
