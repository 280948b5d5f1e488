"""Handlers: cerebro's Lambda functions, what feeds each, and its permissions.

`HANDLERS` is the only table of the permissions. What a function publishes is in the registry of the
contract (`published_by`).

Invariant: a batch is answered message by message; a message that fails MAX_RECEIVE_COUNT times, and
an event that cannot be delivered to the queue, are dead letters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cerebro.dispatch import OBSERVED, ROUTES, Route
from cordyna_cdk import GuardedFunction, dead_letter_queue
from cordyna_cdk.dead_letters import fed_queue
from cordyna_cdk.lambda_workers import consume_statement
from cordyna_core.contract.ids import CLIENT, SERVER_PREFIX
from cordyna_core.contract.registry import Sender, detail_types_of
from cordyna_infra.capacity import FunctionCapacity
from cordyna_infra.rule_targets import QueueTarget
from cordyna_infra.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerSpec:
    """One Lambda function of cerebro: what it may do beside reading the table and publishing."""

    writes_table: bool = True
    writes_keys: tuple[str, ...] = ()
    """Without `writes_table`: the partition keys that it may write all the same, as patterns."""
    sends_page_timers: bool = False
    """To the timekeeper's queue, at once."""
    delays_page_timers: bool = False
    """By the wait state machine, or by a one-shot schedule."""
    starts_no_waits: bool = False
    """It delays page timers as messages of the timekeeper's queue instead, whatever others do."""
    sends_fan_outs: bool = False
    """To the tracker's queue."""
    sends_notices: bool = False
    """To the queue of incidents."""
    manages_crons: bool = False
    timeout_s: int = 30
    memory_mb: int = 512


BATCH_SIZE: Final = 10
MAX_RECEIVE_COUNT: Final = 40
"""Deliveries before a message is a dead letter: about 18 minutes, for retries come within 30 s."""

UNROUTED_TO: Final = "planner"
"""The handler that answers, or keeps, what clients and servers may not send."""

UNROUTED_SOURCES: Final = {
    Sender.CLIENT: (events.Match.exact_string(CLIENT), events.Match.prefix(f"{CLIENT}.")),
    Sender.SERVER: (events.Match.prefix(SERVER_PREFIX),),
}
"""By class of senders: the patterns of its sources."""

QUEUE_FED: Final[Mapping[str, HandlerSpec]] = {
    "registry": HandlerSpec(manages_crons=True, sends_notices=True, timeout_s=60),
    "planner": HandlerSpec(
        sends_page_timers=True,
        delays_page_timers=True,
        sends_fan_outs=True,
        timeout_s=60,
        memory_mb=1024,
    ),
    "tracker": HandlerSpec(
        timeout_s=60,
        sends_page_timers=True,
        delays_page_timers=True,
        sends_fan_outs=True,
        sends_notices=True,
    ),
    "timekeeper": HandlerSpec(
        sends_page_timers=True,
        delays_page_timers=True,
        sends_fan_outs=True,
        # A schedule fires up to a minute early, and the timekeeper waits for the rest. Most of
        # these runs have completed, so a delayed message does: a wait would cost 40 times as much.
        starts_no_waits=True,
        timeout_s=60,
    ),
    "incidents": HandlerSpec(sends_page_timers=True, delays_page_timers=True, timeout_s=60),
}
INVOKED: Final[Mapping[str, HandlerSpec]] = {
    "sweeper": HandlerSpec(
        writes_table=False,
        writes_keys=("ACTIVE#*", "SWEPT"),
        sends_page_timers=True,
        timeout_s=300,
        memory_mb=1024,
    ),
    "query": HandlerSpec(writes_table=False, memory_mb=1024),
}
HANDLERS: Final[Mapping[str, HandlerSpec]] = {**QUEUE_FED, **INVOKED}


class HandlerQueue(Construct):
    """A handler's queue, its dead-letter queue, and the rule of its route.

    The timekeeper's queue has no route: only timers feed it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        stage: Stage,
        bus: events.EventBus,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        full_name = f"{stage.bus}-{name}"
        self.dead_letters = dead_letter_queue(self, full_name, key=key)
        self.queue = fed_queue(
            self,
            full_name,
            self.dead_letters,
            handled_within=Duration.seconds(HANDLERS[name].timeout_s),
            max_receive_count=MAX_RECEIVE_COUNT,
            key=key,
        )
        for route in ROUTES:
            if route.handler == name:
                events.Rule(
                    self,
                    "Route",
                    event_bus=bus,
                    description=f"messages to the {name} (cerebro.dispatch)",
                    event_pattern=pattern_of(route),
                    targets=[QueueTarget(self.queue, self.dead_letters)],
                )
        for sender in UNROUTED_SOURCES if name == UNROUTED_TO else ():
            events.Rule(
                self,
                f"Unrouted{sender.name.capitalize()}",
                event_bus=bus,
                description=f"what no {sender.value} may send, so that it is not silently lost",
                event_pattern=unrouted_pattern(sender),
                targets=[QueueTarget(self.queue, self.dead_letters)],
            )
        for number, route in enumerate(OBSERVED):
            if route.handler == name:
                events.Rule(
                    self,
                    f"Observed{number}",
                    event_bus=bus,
                    description="what may need an owner (cerebro.dispatch)",
                    event_pattern=pattern_of(route),
                    targets=[QueueTarget(self.queue, self.dead_letters)],
                )

    def feed(
        self, function: lambda_.Function, target: lambda_.IFunction, capacity: FunctionCapacity
    ) -> None:
        """Let the queue invoke `target`, `function` or its alias, with batches of up to ten."""
        source = lambda_.EventSourceMapping(
            self,
            "Source",
            target=target,
            event_source_arn=self.queue.queue_arn,
            batch_size=BATCH_SIZE,
            # Provisioned mode limits the concurrency by its pollers instead.
            max_concurrency=None if capacity.pollers else capacity.max_concurrency,
            report_batch_item_failures=True,
        )
        if capacity.pollers:
            mapping = source.node.default_child
            assert isinstance(mapping, lambda_.CfnEventSourceMapping)
            mapping.provisioned_poller_config = capacity.provisioned_pollers
        function.add_to_role_policy(consume_statement(self.queue))
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["sqs:ChangeMessageVisibility"], resources=[self.queue.queue_arn]
            )
        )


def pattern_of(route: Route) -> events.EventPattern:
    """Return a route as an event pattern: a source that ends in a dot is a prefix.

    See Amazon EventBridge, event patterns.
    """
    sources = [
        events.Match.prefix(source) if source.endswith(".") else events.Match.exact_string(source)
        for source in route.sources
    ]
    return events.EventPattern(
        source=events.Match.any_of(*sources),
        detail_type=list(route.detail_types),
        detail={field: list(values) for field, values in route.where.items()} or None,
    )


def unrouted_pattern(sender: Sender) -> events.EventPattern:
    """Return what has no route: detail-types that this sender does not have in the contract."""
    return events.EventPattern(
        source=events.Match.any_of(*UNROUTED_SOURCES[sender]),
        detail_type=events.Match.anything_but(*detail_types_of(sender)),
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
    queue: sqs.Queue | None = None,
    reserved_concurrency: int | None = None,
    key: kms.IKey | None = None,
) -> GuardedFunction:
    """Return the Lambda function of a handler."""
    spec = HANDLERS[name]
    entry_point = f"queue_handlers.{name}" if name in QUEUE_FED else f"{name}.handler"
    return GuardedFunction(
        scope,
        name.capitalize(),
        name=f"{stage.bus}-{name}",
        handler=f"cerebro.lambdas.{entry_point}",
        code=code,
        layers=[layer],
        environment={
            **environment,
            "CORDYNA_DEAD_LETTER_QUEUE_URL": dead_letters.queue_url,
            **({"CORDYNA_QUEUE_URL": queue.queue_url} if queue else {}),
        },
        timeout=Duration.seconds(spec.timeout_s),
        memory_mb=spec.memory_mb,
        log_retention=stage.log_retention,
        dead_letters=dead_letters if name in INVOKED else None,
        reserved_concurrency=reserved_concurrency,
        key=key,
        # Its queue receives what the function itself sends: the rest of a fan-out, the next timer.
        may_recurse=name in QUEUE_FED,
    )
