"""What all Lambda handlers of cerebro share: ports, log, metrics, and the answer to an SQS batch.

Invariant: a message is acknowledged only after its effects (`batchItemFailures` lists the others).
One that can never be handled is sent to the dead-letter queue with its reason, and only then
acknowledged. Metrics are written last.

Everything is created by the first call, not at import: importing needs no environment.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, Protocol

from aws_lambda_powertools import Logger

from cerebro.core.run.invoke import invocation_key
from cerebro.handlers.receive import Delivery, receive
from cerebro.lambdas import wiring
from cerebro.lambdas.counting_ports import with_counting
from cerebro.lambdas.metrics import MetricsBuffer
from cerebro.shell import Ports
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.ids import is_client, run_id_of
from cordyna_core.contract.lenient_json import read_leniently
from cordyna_core.contract.registry import Sender, is_misspelt_by_client, sent_by
from cordyna_core.errors import ServiceError

_RUN_ID: Final = re.compile(r'"run_id"\s*:\s*"([0-9A-HJKMNP-TV-Z]{26})"')

ANSWER_MAX_S: Final = 2.0
"""How long the answer to a batch takes, with a call for each message that failed."""

EFFECT_MIN_MS: Final = round((wiring.CALL_MAX_S + ANSWER_MAX_S) * 1000)
"""With less time left the message that is handled is given up, so that the batch is answered even
if the next call does not answer.
"""

MESSAGE_MIN_MS: Final = EFFECT_MIN_MS + 15_000
"""With less time left no further message of a batch is begun. What one dispatches ends in 8 s
(cerebro.core.run.fan_out), and the last task and group with slow calls in a few more.
"""

Event = dict[str, Any]


class LambdaContext(Protocol):
    """The part of Lambda's context object that is used."""

    def get_remaining_time_in_millis(self) -> int: ...


LambdaHandler = Callable[[Event, LambdaContext], Any]


class DeadLetterSink(Protocol):
    """Takes messages that can never be handled."""

    def add_dead_letter(self, body: str, reason: str) -> None: ...


class RetryPostponer(Protocol):
    """Delays the next delivery of a failed message."""

    def postpone(self, receipt_handle: str, deliveries: int) -> None: ...


@dataclass(frozen=True, slots=True)
class LambdaRuntime:
    """Everything that one Lambda handler works with."""

    ports: Ports
    dead_letters: DeadLetterSink
    retries: RetryPostponer
    log: Logger
    metrics: MetricsBuffer


def build_runtime(name: str) -> LambdaRuntime:
    """Return the runtime of the handler `name`, configured by the environment."""
    settings = wiring.CerebroSettings()
    metrics = MetricsBuffer(settings.bus)
    # The logger is named after its service, so all loggers below `cerebro` write through it.
    log = Logger(service="cerebro")
    log.append_keys(handler=name)
    return LambdaRuntime(
        with_counting(wiring.aws_ports(settings), metrics),
        wiring.dead_letters(settings),
        wiring.retry_delay(settings),
        log,
        metrics,
    )


def on_queue(name: str, build: Callable[[str], LambdaRuntime] = build_runtime) -> LambdaHandler:
    """Return the handler of a Lambda whose events are batches of its SQS queue."""
    runtime_of = cache(build)

    def handler(event: Event, context: LambdaContext) -> Event:
        return answer_batch(event, runtime_of(name), context)

    return handler


def on_call(
    name: str,
    reply: Callable[[LambdaRuntime, Event, LambdaContext], Any],
    build: Callable[[str], LambdaRuntime] = build_runtime,
) -> LambdaHandler:
    """Return the handler of a Lambda that is invoked directly: by a schedule, or by an operator."""
    runtime_of = cache(build)

    def handler(event: Event, context: LambdaContext) -> Any:
        runtime = runtime_of(name)
        try:
            return reply(runtime, event, context)
        finally:
            runtime.metrics.flush()

    return handler


def answer_batch(event: Event, runtime: LambdaRuntime, context: LambdaContext) -> Event:
    """Handle each record. Returns the ids of those that SQS must deliver again."""
    outcome = receive(
        _deliveries(event, runtime.log),
        runtime.ports,
        lambda: context.get_remaining_time_in_millis() > MESSAGE_MIN_MS,
        partial(_check_time, context),
    )
    again = set(outcome.again)
    for delivery, reason in outcome.dead_letters:
        runtime.log.set_correlation_id(_run_of(delivery.body))
        if delivery.receipt in outcome.answered and _is_command_of_client(delivery.body):
            # Only its sender can fix it, so it is not a dead letter, which would alarm a person.
            runtime.log.warning("a client's command was refused", extra={"reason": reason})
            continue
        try:
            runtime.dead_letters.add_dead_letter(delivery.body, reason)
            runtime.metrics.count("DeadLettered")
            runtime.log.error(
                "a message can never be handled; it is in the dead-letter queue",
                extra={"reason": reason, "body": delivery.body[:2000]},
            )
        except Exception:
            # It is delivered again, and after maxReceiveCount goes to the dead-letter queue without
            # a reason.
            runtime.log.exception("a message could not be sent to the dead-letter queue")
            again.add(delivery.receipt)
    # What is logged from here on is not about the message that was handled last.
    runtime.log.set_correlation_id(None)
    _postpone(event, again, runtime)
    runtime.metrics.flush()
    return {"batchItemFailures": [{"itemIdentifier": receipt} for receipt in sorted(again)]}


def _check_time(context: LambdaContext) -> None:
    """Raise ServiceError if the function is about to be killed."""
    left_ms = context.get_remaining_time_in_millis()
    if left_ms < EFFECT_MIN_MS:
        raise ServiceError(
            f"a message was given up, because its function had {left_ms} ms left.",
            why="its calls of AWS were slow.",
            next="wait: it comes again within seconds; if that lasts, see the throttles alarm.",
        )


def _is_command_of_client(body: str) -> bool:
    """Return whether it is a command of a client, even if it is malformed."""
    try:
        event = read_leniently(body)
    except ValueError:
        return False
    if not isinstance(event, dict):
        return False
    source, detail_type = str(event.get("source")), str(event.get("detail-type"))
    return is_misspelt_by_client(source, detail_type) or (
        is_client(source) and detail_type in sent_by(Sender.CLIENT)
    )


def _postpone(event: Event, again: set[str], runtime: LambdaRuntime) -> None:
    for record in event["Records"]:
        if record["messageId"] in again:
            deliveries = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
            try:
                runtime.retries.postpone(record["receiptHandle"], deliveries)
            except Exception:
                # It is delivered again all the same, after the queue's visibility timeout.
                runtime.log.exception("the retry of a message could not be postponed")


def _deliveries(event: Event, log: Logger) -> Iterator[Delivery]:
    # Lazily, one by one as they are handled: what is logged meanwhile carries the run's id.
    for record in event["Records"]:
        log.set_correlation_id(_run_of(record["body"]))
        yield Delivery(record["messageId"], record["body"], _sent_at(record))


def _sent_at(record: Event) -> float | None:
    """Return when the record was sent to its queue, UTC seconds."""
    milliseconds = record.get("attributes", {}).get("SentTimestamp")
    return None if milliseconds is None else int(milliseconds) / 1000


def _run_of(body: str) -> str | None:
    """Return the run that a message names or would create; None if it cannot be determined."""
    if (match := _RUN_ID.search(body)) is not None:
        return match[1]
    if '"InvokeTask"' not in body:
        return None
    try:
        envelope = open_envelope(body)
    except MalformedEvent:
        return None
    command = envelope.message
    return (
        run_id_of(command.task, invocation_key(command, envelope), envelope.source)
        if isinstance(command, InvokeTask)
        else None
    )
