"""TaskServer: a team's task server on AWS, in the team's own stack.

    TaskServer(self, "Sales", code="src", server="sales.server:server")                          a Lambda, invoked by its rule
    TaskServer(self, "Sales", code="src", server="sales.server:server", max_concurrency=10)      behind a door: ten bodies at a time
    TaskServer(self, "Sales", code="src", server="sales.server:server", container=Container())   Fargate, from zero, behind a door

A *door* says `queued` at once and puts the command into a work queue, which feeds whoever runs the bodies. Without one, a command meets the
function itself, which has to start the body within the acknowledgement clock.

Law: the server hears only what its route names (`cordyna_core.contract.server_route`), says only what a server says and only in its own
name, and runs the body of an attempt at most once. It is declared after every deployment.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from aws_cdk import Duration, IgnoreMode, Tags, aws_events_targets, triggers
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cordyna_cdk import entries
from cordyna_cdk.acknowledged import DECLARED_BY_A_TRIGGER, acknowledge
from cordyna_cdk.claims import claims_table
from cordyna_cdk.container import Container, ContainerWorkers
from cordyna_cdk.dead_letters import dead_letter_queue, fed_queue
from cordyna_cdk.discovery import SERVER_TAG, Discovery, stage_of
from cordyna_cdk.guarded_function import GuardedFunction
from cordyna_cdk.lambda_workers import LambdaWorkers, checked_concurrency
from cordyna_cdk.loaded_server import (
    LAMBDA_LIMIT_S,
    LoadedServer,
    check_lambda_timeouts,
    read_server,
)
from cordyna_cdk.permissions import SPOKEN_BY_SERVERS, put_events_statement
from cordyna_cdk.revision import revision_of
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.server_route import event_pattern

DOOR_TIMEOUT: Final = Duration.seconds(30)


class TaskServer(Construct):
    """A task server, subscribed to the bus of its stage.

    Args:
        code: the folder that holds the server's module; for a container also its Dockerfile.
        server: the server in that folder, `package.module:name`.
        max_concurrency: at most so many bodies at a time, 2 to 1,000; the others are `queued`. Default: each command starts a body at once.
        container: run the bodies in Fargate instead, scaled to zero when there are none.
        stage: of cerebro, default the context's `cordyna:stage`, else `production`.
        layers: default: the `cordyna_core` layer that cerebro's stack provides. A team that pins the library itself passes its own.
        environment, memory_mb, timeout: of the function that runs the bodies.

    Raises:
        UserError: the server cannot be loaded, or a Lambda cannot run what it declares.
        ValueError: a max_concurrency that SQS does not know, or both it and a container.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        code: str | Path,
        server: str,
        max_concurrency: int | None = None,
        container: Container | None = None,
        stage: str | None = None,
        layers: Sequence[lambda_.ILayerVersion] | None = None,
        environment: Mapping[str, str] | None = None,
        memory_mb: int = 512,
        timeout: Duration | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        if container is not None and max_concurrency is not None:
            raise ValueError(
                "a container says how many bodies it runs by Container(workers=..., at_most=...), not by max_concurrency"
            )
        self.served: Final[LoadedServer] = read_server(code, server)
        Tags.of(self).add(SERVER_TAG, self.served.name)
        self._discovery = Discovery(self, stage or stage_of(self))
        self._layers = layers
        self._timeout = timeout or Duration.seconds(LAMBDA_LIMIT_S)
        self._memory_mb = memory_mb
        self.claims: Final = claims_table(self)
        self.dead_letters: Final[list[sqs.Queue]] = [dead_letter_queue(self, self.served.name)]
        self.environment: Final = {
            "CORDYNA_BUS": self.bus.event_bus_name,
            "CORDYNA_CLAIMS_TABLE": self.claims.table_name,
            "CORDYNA_SERVER": server,
            "CORDYNA_REVISION": str(revision_of(self)),
            **(environment or {}),
        }
        if container is not None:
            self._behind_a_door_in_a_container(container)
        elif max_concurrency is not None:
            self._behind_a_door(checked_concurrency(max_concurrency))
        else:
            self._at_once()
        self._subscribe()
        self._declare_after_every_deployment()

    @cached_property
    def bus(self) -> events.IEventBus:
        """The bus of the stage."""
        return events.EventBus.from_event_bus_name(self, "Bus", self._discovery.find("bus"))

    @cached_property
    def layers(self) -> Sequence[lambda_.ILayerVersion]:
        """What every function of this server has beside its own code."""
        if self._layers is not None:
            return self._layers
        return [
            lambda_.LayerVersion.from_layer_version_arn(
                self, "CordynaCore", self._discovery.find("layer")
            )
        ]

    def _at_once(self) -> None:
        check_lambda_timeouts(self.served)
        self.addressee = self._function(
            "Function",
            self.served.name,
            entries.SERVER,
            self._timeout,
            self._memory_mb,
            dead_letters=self.dead_letters[0],
        )
        self.runs_as: iam.IGrantable = self.addressee
        self._may_speak_and_claim(self.addressee)

    def _behind_a_door(self, max_concurrency: int) -> None:
        check_lambda_timeouts(self.served)
        queue = self._open_door(handled_within=self._timeout)
        worker = self._function(
            "Worker",
            f"{self.served.name}-worker",
            entries.WORKER,
            self._timeout,
            self._memory_mb,
            dead_letters=None,
        )
        LambdaWorkers(
            self, "Workers", function=worker, queue=queue, max_concurrency=max_concurrency
        )
        self.runs_as = worker
        self._may_speak_and_claim(worker)

    def _behind_a_door_in_a_container(self, container: Container) -> None:
        # serve() says itself how long it keeps a message, and prolongs that while a body runs.
        queue = self._open_door(handled_within=Duration.seconds(10))
        workers = ContainerWorkers(
            self,
            "Workers",
            served=self.served,
            container=container,
            queue=queue,
            door=self.addressee,
            environment=self.environment,
        )
        self.runs_as = workers.role
        self._may_speak_and_claim(workers.role)

    def _open_door(self, *, handled_within: Duration) -> sqs.Queue:
        """The queue behind the intake function that becomes the rule's addressee."""
        name = self.served.name
        unworkable = dead_letter_queue(self, f"{name}-work", construct_id="WorkDeadLetters")
        queue = fed_queue(
            self,
            f"{name}-work",
            unworkable,
            handled_within=handled_within,
            construct_id="WorkQueue",
        )
        self.dead_letters.append(unworkable)
        self.environment["CORDYNA_QUEUE_URL"] = queue.queue_url
        self.work_queue = queue
        self.addressee = self._function(
            "Door",
            f"{name}-door",
            entries.DOOR,
            DOOR_TIMEOUT,
            256,
            dead_letters=self.dead_letters[0],
        )
        self.addressee.add_to_role_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn])
        )
        self._may_speak(self.addressee)
        # It notes what is cancelled, for whoever runs the body.
        self._may_claim(self.addressee, "UpdateItem")
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
    ) -> GuardedFunction:
        return GuardedFunction(
            self,
            construct_id,
            name=name,
            handler=handler,
            code=lambda_.Code.from_asset(
                str(self.served.folder),
                exclude=["**/__pycache__", "**/*.egg-info", "Dockerfile", "wheels"],
                ignore_mode=IgnoreMode.GLOB,
            ),
            layers=self.layers,
            environment=self.environment,
            timeout=timeout,
            memory_mb=memory_mb,
            dead_letters=dead_letters,
        )

    def _may_speak(self, who: iam.IGrantable) -> None:
        who.grant_principal.add_to_principal_policy(
            put_events_statement(
                self.bus.event_bus_arn, [server_source(self.served.name)], SPOKEN_BY_SERVERS
            )
        )

    def _may_speak_and_claim(self, who: iam.IGrantable) -> None:
        self._may_speak(who)
        self._may_claim(who, "GetItem", "PutItem", "UpdateItem")

    def _may_claim(self, who: iam.IGrantable, *actions: str) -> None:
        allowed = iam.PolicyStatement(
            actions=[f"dynamodb:{action}" for action in actions], resources=[self.claims.table_arn]
        )
        who.grant_principal.add_to_principal_policy(allowed)

    def _subscribe(self) -> None:
        pattern = event_pattern(self.served.name)
        events.Rule(
            self,
            "Route",
            event_bus=self.bus,
            description=f"what cerebro tells {self.served.name}",
            event_pattern=events.EventPattern(
                source=pattern["source"],
                detail_type=pattern["detail-type"],
                detail=pattern["detail"],
            ),
            targets=[
                aws_events_targets.LambdaFunction(
                    self.addressee,
                    dead_letter_queue=self.dead_letters[0],
                    max_event_age=Duration.seconds(60),
                )
            ],
        )

    def _declare_after_every_deployment(self) -> None:
        # A trigger invokes without a payload, which the entries take for "declare yourself".
        acknowledge(self.addressee, DECLARED_BY_A_TRIGGER, "Annotation")
        triggers.Trigger(
            self,
            "Declare",
            handler=self.addressee,
            timeout=Duration.minutes(2),
            execute_after=[self],
        )
