"""IncidentAlerts: sends the incidents of one owner to a channel, in the team's own stack.

    bus -> rule: its owner is `owner`            -> channel
    bus -> rule: what waits for it is of `owner` -> channel, "nothing to do"

Invariant: what cannot be delivered for a day is a dead letter; nothing of a secret is in the
template.
"""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cordyna_cdk.acknowledged_findings import acknowledge
from cordyna_cdk.alert_channels import CLOSED, OPENED, Topic, Webhook
from cordyna_cdk.dead_letters import dead_letter_queue
from cordyna_cdk.discovery import Discovery, stage_of
from cordyna_core.contract.ids import CEREBRO, derived_id

_RETRIED_FOR = Duration.hours(24)
_RETRIES = 185
"""The most of EventBridge: with growing pauses, within a day."""


class IncidentAlerts(Construct):
    """The alerts of one owner.

    Args:
        owner: as the tasks name it (`TaskServer("sales", owner="team-sales")`).
        channel: of `cordyna_cdk.alert_channels`.
        bus: default: the bus of the stage.
        waiting: whether the owner also gets incidents of others that hold up its tasks.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        owner: str,
        channel: Webhook | Topic,
        bus: events.IEventBus | None = None,
        waiting: bool = True,
    ) -> None:
        super().__init__(scope, construct_id)
        self._owner = owner
        self._bus = bus or self._found_bus()
        name = f"cordyna-alerts-{derived_id('alerts', stage_of(self), self.node.path)[:12].lower()}"
        self.dead_letters = dead_letter_queue(self, name)
        acknowledge(
            self.dead_letters,
            {
                "AwsSolutions-SQS3": (
                    "It is itself the dead-letter queue of these rules; the checker sees that for "
                    "queues and functions only."
                )
            },
        )
        self._destination = self._destination_of(channel)
        for number, (kinds, body) in enumerate(channel.bodies.items()):
            self._rule(f"Own{number}", kinds, {"owner": [owner]}, channel, body)
        if waiting and channel.waiting_body is not None:
            pattern = {"waiting_owners": [owner]}
            kinds = (*OPENED, *CLOSED)
            self._rule("Waiting", kinds, pattern, channel, channel.waiting_body)

    def _found_bus(self) -> events.IEventBus:
        bus = Discovery(self, stage_of(self)).find("bus")
        return events.EventBus.from_event_bus_name(self, "Bus", bus)

    def _destination_of(self, channel: Webhook | Topic) -> events.ApiDestination | None:
        if isinstance(channel, Topic):
            return None
        connection = events.Connection(
            self, "Connection", **channel.connection(f"alerts of {self._owner}")
        )
        return events.ApiDestination(
            self,
            "Destination",
            connection=connection,
            endpoint=channel.url,
            http_method=events.HttpMethod.POST,
            rate_limit_per_second=5,
        )

    def _rule(
        self,
        construct_id: str,
        kinds: Sequence[str],
        detail: dict[str, Any],
        channel: Webhook | Topic,
        body: Any,
    ) -> None:
        events.Rule(
            self,
            construct_id,
            event_bus=self._bus,
            description=f"incidents for {self._owner}",
            event_pattern=events.EventPattern(
                source=[CEREBRO], detail_type=list(kinds), detail=detail
            ),
            targets=[_target(self._destination, channel, body, self.dead_letters)],
        )


def _target(
    destination: events.ApiDestination | None,
    channel: Webhook | Topic,
    body: Any,
    dead_letters: sqs.Queue,
) -> events.IRuleTarget:
    if isinstance(channel, Topic):
        return targets.SnsTopic(
            channel.topic,
            message=events.RuleTargetInput.from_text(body),
            dead_letter_queue=dead_letters,
            retry_attempts=_RETRIES,
            max_event_age=_RETRIED_FOR,
        )
    assert destination is not None
    return targets.ApiDestination(
        destination,
        event=events.RuleTargetInput.from_object(body),
        dead_letter_queue=dead_letters,
        retry_attempts=_RETRIES,
        max_event_age=_RETRIED_FOR,
    )
