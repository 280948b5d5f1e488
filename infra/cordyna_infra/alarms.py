"""Alarms for the person on call; docs/operating.md explains each and what to do.

Invariant: every alarm is about something that a person can act upon. A failing task is not: the run
names its owner, whose team sees it.
"""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cordyna_cdk.context_flags import is_disabled
from cordyna_infra import metrics
from cordyna_infra.cerebro_stack import CerebroStack

_FIVE_MINUTES: Final = Duration.minutes(5)
_AT_LEAST: Final = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
_QUEUE_AGE_MAX_S: Final = 60
"""Clocks are kept to 2 s only while messages are handled at once."""


class Alarms(Construct):
    """All alarms; each notifies `topic`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cerebro: CerebroStack,
        dead_letters: Mapping[str, sqs.IQueue],
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        self._bus, self._topic = cerebro.stage_.bus, topic
        self.all: list[cloudwatch.Alarm] = []
        self._add_run_alarms(cerebro)
        self._add_queue_alarms(cerebro, dead_letters)
        self._add_function_alarms(cerebro)

    def _add_run_alarms(self, cerebro: CerebroStack) -> None:
        self._alarm(
            "stuck-runs",
            metrics.stuck_runs(cerebro),
            "An active run had no timer that would have woken it.",
        )
        self._alarm(
            "missed-crons",
            metrics.ticks_missed(cerebro),
            "A cron tick arrived more than five minutes late and was not fired.",
        )
        self._alarm(
            "clocks-expired",
            metrics.clocks_expired(cerebro),
            "A server did not acknowledge, start or end a task in time.",
        )

    def _add_queue_alarms(
        self, cerebro: CerebroStack, dead_letters: Mapping[str, sqs.IQueue]
    ) -> None:
        for name, queue in dead_letters.items():
            waiting = queue.metric_approximate_number_of_messages_visible(
                period=_FIVE_MINUTES, statistic="Maximum"
            )
            self._alarm(
                f"dead-letters-{name}",
                waiting,
                f"A message could not be handled: it is in {queue.queue_name}.",
            )
        for name, handler_queue in cerebro.queues.items():
            age = handler_queue.queue.metric_approximate_age_of_oldest_message(
                period=_FIVE_MINUTES, statistic="Maximum"
            )
            self._alarm(
                f"slow-{name}",
                age,
                f"A message has waited for the {name} for a minute.",
                threshold=_QUEUE_AGE_MAX_S,
            )

    def _add_function_alarms(self, cerebro: CerebroStack) -> None:
        functions = cerebro.functions
        self._alarm(
            "errors",
            metrics.total(functions, "errors"),
            "A function of cerebro failed.",
        )
        self._alarm(
            "throttles",
            metrics.throttles(cerebro),
            "A function, the table or the wait state machine was throttled.",
        )
        self._alarm(
            "timers-failed",
            metrics.timers_failed(cerebro),
            "A page timer was not sent: the sweep replaces it, up to 15 minutes late.",
        )
        sweeps = functions["sweeper"].metric_invocations(period=Duration.hours(1), statistic="Sum")
        self._alarm(
            "no-sweep",
            sweeps,
            "The sweep has not run for an hour.",
            threshold=1,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        description: str,
        *,
        threshold: int = 1,
        comparison: cloudwatch.ComparisonOperator = _AT_LEAST,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        if isinstance(metric, cloudwatch.MathExpression) and is_disabled(self, "metric-math"):
            return
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._bus}-{name}",
            alarm_description=f"{description} (docs/operating.md)",
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=comparison,
            treat_missing_data=missing,
        )
        notify = actions.SnsAction(self._topic)
        alarm.add_alarm_action(notify)
        alarm.add_ok_action(notify)
        self.all.append(alarm)
