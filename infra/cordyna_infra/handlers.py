"""Handlers: cerebro's Lambdas, what feeds each, and what each may do. The table `HANDLERS` is the whole of the latter.

Law: whoever is fed by a queue answers it message by message; a message that fails five times, and an event that cannot be delivered to
the queue, are dead letters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cerebro.dispatch import ROUTES, Route
from cordyna_cdk import GuardedFunction, dead_letter_queue
from cordyna_cdk.dead_letters import fed_queue
from cordyna_cdk.lambda_workers import may_consume
from cordyna_core.contract.commands import CancelTask, DescribeServer, RunTask
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationRejected,
    InvocationRejected,
    RunStateChanged,
    TaskStateChanged,
)
from cordyna_infra.stage import Stage

_OF_A_RUN: Final = (RunTask, CancelTask, TaskStateChanged, RunStateChanged)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerSpec:
    """One of cerebro's Lambdas."""

    says: tuple[type, ...] = ()
    """On the bus, as cerebro."""
    ticks: bool = False
    """Says InvokeTask as the scheduler."""
    writes: bool = True
    """The table, and not only reads it."""
    rings: bool = False
    """Sends rings to the timekeeper at once."""
    sets_timers: bool = False
    """Has rings sent later: by the wait state, or by a one-shot schedule."""
    walks: bool = False
    """Sends walks to the tracker."""
    keeps_crons: bool = False
    timeout_s: int = 30
    memory_mb: int = 512


ON_QUEUES: Final[Mapping[str, HandlerSpec]] = {
    "registry": HandlerSpec(
        says=(DeclarationAccepted, DeclarationRejected), keeps_crons=True, timeout_s=60
    ),
    "planner": HandlerSpec(
        says=(*_OF_A_RUN, InvocationRejected),
        rings=True,
        sets_timers=True,
        walks=True,
        timeout_s=60,
        memory_mb=1024,
    ),
    "tracker": HandlerSpec(says=_OF_A_RUN, rings=True, sets_timers=True, walks=True),
    "timekeeper": HandlerSpec(
        says=(*_OF_A_RUN, InvocationRejected),
        ticks=True,
        rings=True,
        sets_timers=True,
        walks=True,
        timeout_s=60,
    ),
}
CALLED: Final[Mapping[str, HandlerSpec]] = {
    "sweeper": HandlerSpec(says=(DescribeServer,), writes=False, rings=True, timeout_s=300),
    "query": HandlerSpec(writes=False, memory_mb=1024),
}
HANDLERS: Final[Mapping[str, HandlerSpec]] = {**ON_QUEUES, **CALLED}


class HandlerQueue(Construct):
    """A handler's queue and its dead letters, fed by the rule that its route makes; the timekeeper's is fed by timers only."""

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, stage: Stage, bus: events.EventBus
    ) -> None:
        super().__init__(scope, construct_id)
        full_name = f"{stage.bus}-{name}"
        self.dead_letters = dead_letter_queue(self, full_name)
        self.queue = fed_queue(
            self,
            full_name,
            self.dead_letters,
            handled_within=Duration.seconds(HANDLERS[name].timeout_s),
        )
        for route in ROUTES:
            if route.handler == name:
                events.Rule(
                    self,
                    "Route",
                    event_bus=bus,
                    description=f"what the {name} hears (cerebro.dispatch)",
                    event_pattern=pattern_of(route),
                    targets=[targets.SqsQueue(self.queue, dead_letter_queue=self.dead_letters)],
                )

    def feed(self, function: lambda_.Function) -> None:
        """Let the queue invoke `function`, in batches of ten without waiting for more."""
        lambda_.EventSourceMapping(
            self,
            "Source",
            target=function,
            event_source_arn=self.queue.queue_arn,
            batch_size=10,
            report_batch_item_failures=True,
        )
        function.add_to_role_policy(may_consume(self.queue))


def pattern_of(route: Route) -> events.EventPattern:
    """A route as an event pattern: a source that ends in a dot is a prefix (Amazon EventBridge event patterns)."""
    sources = [
        events.Match.prefix(each) if each.endswith(".") else events.Match.exact_string(each)
        for each in route.sources
    ]
    return events.EventPattern(
        source=events.Match.any_of(*sources), detail_type=list(route.detail_types)
    )


def handler_function(
    scope: Construct,
    name: str,
    *,
    stage: Stage,
    code: lambda_.Code,
    layer: lambda_.LayerVersion,
    environment: Mapping[str, str],
    dead_letters: sqs.Queue,
) -> GuardedFunction:
    """The function of a handler, entered in `cerebro.lambdas.<name>`."""
    handler = HANDLERS[name]
    return GuardedFunction(
        scope,
        name.capitalize(),
        name=f"{stage.bus}-{name}",
        handler=f"cerebro.lambdas.{name}.handler",
        code=code,
        layers=[layer],
        environment={**environment, "CORDYNA_DEAD_LETTER_QUEUE_URL": dead_letters.queue_url},
        timeout=Duration.seconds(handler.timeout_s),
        memory_mb=handler.memory_mb,
        log_retention=stage.log_retention,
        dead_letters=dead_letters if name in CALLED else None,
    )
