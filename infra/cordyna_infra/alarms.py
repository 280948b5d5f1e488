"""Alarms: what a person on call is woken for. docs/operating.md says what each means and what to do.

Law: an alarm is about something that a person can act upon. A failing task is none: its team sees it, and the run says who owns it.
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
_SLOW_AFTER_S: Final = 60
"""A message that is older waits for something; the clocks are kept to 2 s."""


class Alarms(Construct):
    """All alarms, each telling `topic`."""

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
        self._about_runs(cerebro)
        self._about_messages(cerebro, dead_letters)
        self._about_functions(cerebro)

    def _about_runs(self, cerebro: CerebroStack) -> None:
        self._alarm(
            "stuck-runs",
            metrics.stuck_runs(cerebro),
            "A run goes on, and nothing would have woken it.",
        )
        self._alarm(
            "missed-crons",
            metrics.ticks_missed(cerebro),
            "A cron's tick came more than five minutes late and was not fired.",
        )
        self._alarm(
            "clocks-expired",
            metrics.clocks_expired(cerebro),
            "A server did not answer, start or end in time.",
        )

    def _about_messages(
        self, cerebro: CerebroStack, dead_letters: Mapping[str, sqs.IQueue]
    ) -> None:
        for name, queue in dead_letters.items():
            waiting = queue.metric_approximate_number_of_messages_visible(
                period=_FIVE_MINUTES, statistic="Maximum"
            )
            self._alarm(
                f"dead-letters-{name}",
                waiting,
                f"A message could not be handled: look into {queue.queue_name}.",
            )
        for name, fed in cerebro.queues.items():
            age = fed.queue.metric_approximate_age_of_oldest_message(
                period=_FIVE_MINUTES, statistic="Maximum"
            )
            self._alarm(
                f"slow-{name}",
                age,
                f"A message has been waiting for the {name} for a minute.",
                at_least=_SLOW_AFTER_S,
            )

    def _about_functions(self, cerebro: CerebroStack) -> None:
        functions = cerebro.functions
        self._alarm(
            "errors",
            metrics.total(functions, "errors"),
            "A function of cerebro's ends in an error.",
        )
        self._alarm(
            "throttles",
            metrics.throttles(cerebro),
            "A function, the table or the wait state is throttled.",
        )
        self._alarm(
            "timers-failed",
            metrics.timers_failed(cerebro),
            "A ring was not sent: the sweep mends it, up to 15 minutes late.",
        )
        sweeps = functions["sweeper"].metric_invocations(period=Duration.hours(1), statistic="Sum")
        self._alarm(
            "no-sweep",
            sweeps,
            "The sweep has not been called for an hour.",
            at_least=1,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        description: str,
        *,
        at_least: int = 1,
        comparison: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
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
            threshold=at_least,
            evaluation_periods=1,
            comparison_operator=comparison,
            treat_missing_data=missing,
        )
        told = actions.SnsAction(self._topic)
        alarm.add_alarm_action(told)
        alarm.add_ok_action(told)
        self.all.append(alarm)
