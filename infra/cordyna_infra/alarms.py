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
from constructs import Construct

from cordyna_cdk.context_flags import is_disabled
from cordyna_infra import metrics
from cordyna_infra.capacity import capacities
from cordyna_infra.handlers import BATCH_SIZE
from cordyna_infra.names import CerebroNames

QUEUE_AGE_MAX_S: Final = 5
"""Clocks are kept to 2 s only while messages are handled at once."""

TIMER_AGE_MAX_S: Final = 1800
"""The longest delay of a message, and the visibility timeout of one whose invocation was killed."""

_AT_LEAST: Final = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD


class Alarms(Construct):
    """All alarms; each notifies `topic`. `dead_letters`: owner -> name of its dead-letter queue."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: CerebroNames,
        dead_letters: Mapping[str, str],
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        self._names, self._topic = names, topic
        self.all: list[cloudwatch.Alarm] = []
        self._add_run_alarms()
        self._add_queue_alarms(dead_letters)
        self._add_function_alarms()

    def _add_run_alarms(self) -> None:
        self._alarm(
            "stuck-runs",
            metrics.stuck_runs(self._names),
            "An active run had no timer that would have woken it.",
        )
        self._alarm(
            "unfinished-sweep",
            metrics.counted(self._names, "UnfinishedSweeps", period=metrics.SWEEP_PERIOD),
            "The sweep did not reach every active run within its time.",
        )
        self._alarm(
            "missed-crons",
            metrics.ticks_missed(self._names),
            "A cron tick arrived more than five minutes late and was not fired.",
        )
        self._alarm(
            "clocks-expired",
            metrics.clocks_expired(self._names),
            "A server did not acknowledge, start or end a task in time.",
        )

    def _add_queue_alarms(self, dead_letters: Mapping[str, str]) -> None:
        for owner, queue in dead_letters.items():
            self._alarm(
                f"dead-letters-{owner}",
                metrics.of_queue(queue, "ApproximateNumberOfMessagesVisible"),
                f"A message could not be handled: it is in {queue}.",
            )
        for name, queue in self._names.queues.items():
            if name == "timekeeper":
                self._add_due_timers_alarm(queue)
                continue
            self._alarm(
                f"slow-{name}",
                metrics.of_queue(queue, "ApproximateAgeOfOldestMessage", period=metrics.MINUTE),
                f"A message has waited for the {name} for {QUEUE_AGE_MAX_S} s.",
                threshold=QUEUE_AGE_MAX_S,
            )

    def _add_due_timers_alarm(self, queue: str) -> None:
        # AWS does not say whether the age of a message begins when it is sent or when its delay
        # ends; a delayed message is not visible.
        at_once = BATCH_SIZE * capacities(self)["timekeeper"].max_concurrency
        self._alarm(
            "slow-timekeeper",
            metrics.of_queue(queue, "ApproximateNumberOfMessagesVisible", period=metrics.MINUTE),
            f"More timers are due than the timekeeper handles at a time ({at_once}).",
            threshold=at_once,
        )
        # A few timers that nothing handles are not that many.
        self._alarm(
            "stuck-timekeeper",
            metrics.of_queue(queue, "ApproximateAgeOfOldestMessage", period=metrics.MINUTE),
            f"A timer has been in the timekeeper's queue for {TIMER_AGE_MAX_S} s.",
            threshold=TIMER_AGE_MAX_S,
        )

    def _add_function_alarms(self) -> None:
        self._alarm("errors", metrics.total(self._names, "Errors"), "A function of cerebro failed.")
        self._alarm(
            "throttles",
            metrics.throttles(self._names),
            "A function, the table or the wait state machine was throttled.",
        )
        self._alarm(
            "timers-failed",
            metrics.timers_failed(self._names),
            "A page timer was not sent: the sweep replaces it, up to 15 minutes late.",
        )
        self._alarm(
            "no-sweep",
            metrics.of_function(
                self._names.functions["sweeper"], "Invocations", period=Duration.hours(1)
            ),
            "The sweep has not run for an hour.",
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
            alarm_name=f"{self._names.bus}-{name}",
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
