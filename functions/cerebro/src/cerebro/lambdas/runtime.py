"""Face: what every Lambda of cerebro has in common: its ports, its log, its tally, and how an SQS batch is answered.

Law: a message is acknowledged after its effects (`batchItemFailures` names the others); one that can never be handled goes to
the dead-letter queue with its reason, and only then is acknowledged. Telemetry is written last.

Everything is made on the first call, not on import: importing needs no environment.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

from aws_lambda_powertools import Logger

from cerebro.core.run.invoke import invocation_key
from cerebro.handlers.receive import Delivery, receive
from cerebro.lambdas import wiring
from cerebro.lambdas.counting_ports import counted
from cerebro.lambdas.metrics import MetricsBuffer
from cerebro.shell import Ports
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.ids import run_id_of

_RUN_ID: Final = re.compile(r'"run_id"\s*:\s*"([0-9A-HJKMNP-TV-Z]{26})"')

Event = dict[str, Any]


class LambdaContext(Protocol):
    """What Lambda tells of an invocation, as far as it is asked."""

    def get_remaining_time_in_millis(self) -> int: ...


LambdaHandler = Callable[[Event, LambdaContext], Any]


class DeadLetterSink(Protocol):
    """Where messages go that can never be handled."""

    def add_dead_letter(self, body: str, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class LambdaRuntime:
    """One Lambda's surroundings."""

    ports: Ports
    dead_letters: DeadLetterSink
    log: Logger
    tally: MetricsBuffer


def build_runtime(name: str) -> LambdaRuntime:
    """The surroundings of the Lambda `name`, from its environment."""
    settings = wiring.CerebroSettings()
    tally = MetricsBuffer(settings.bus)
    # The logger's name is its service: all loggers below `cerebro` write through it.
    log = Logger(service="cerebro")
    log.append_keys(handler=name)
    return LambdaRuntime(
        counted(wiring.aws_ports(settings), tally), wiring.dead_letters(settings), log, tally
    )


def on_queue(name: str, make: Callable[[str], LambdaRuntime] = build_runtime) -> LambdaHandler:
    """The handler of a Lambda whose events are batches of its SQS queue."""
    made = cache(make)

    def handler(event: Event, context: LambdaContext) -> Event:
        return answer_batch(event, made(name))

    return handler


def on_call(
    name: str,
    reply: Callable[[LambdaRuntime, Event, LambdaContext], Any],
    make: Callable[[str], LambdaRuntime] = build_runtime,
) -> LambdaHandler:
    """The handler of a Lambda that is called: by a schedule, or by somebody who asks."""
    made = cache(make)

    def handler(event: Event, context: LambdaContext) -> Any:
        here = made(name)
        try:
            return reply(here, event, context)
        finally:
            here.tally.flush()

    return handler


def answer_batch(event: Event, here: LambdaRuntime) -> Event:
    """React to each record; the ids of those that are to be delivered again."""
    outcome = receive(_deliveries(event, here.log), here.ports)
    again = set(outcome.again)
    for delivery, reason in outcome.dead_letters:
        here.log.set_correlation_id(_run_of(delivery.body))
        try:
            here.dead_letters.add_dead_letter(delivery.body, reason)
            here.tally.count("DeadLettered")
            here.log.error(
                "a message can never be handled",
                extra={"reason": reason, "body": delivery.body[:2000]},
            )
        except Exception:
            # It comes again, and after maxReceiveCount goes to the dead-letter queue without its reason.
            here.log.exception("a message could not be buried")
            again.add(delivery.receipt)
    here.tally.flush()
    return {"batchItemFailures": [{"itemIdentifier": receipt} for receipt in sorted(again)]}


def _deliveries(event: Event, log: Logger) -> Iterator[Delivery]:
    # One by one, as they are handled: what is logged meanwhile carries the run's id.
    for record in event["Records"]:
        log.set_correlation_id(_run_of(record["body"]))
        yield Delivery(record["messageId"], record["body"], _sent_at(record))
    log.set_correlation_id(None)


def _sent_at(record: Event) -> float | None:
    """When its queue was given it, UTC seconds."""
    milliseconds = record.get("attributes", {}).get("SentTimestamp")
    return None if milliseconds is None else int(milliseconds) / 1000


def _run_of(body: str) -> str | None:
    """The run that a message is about, as far as it tells."""
    if (named := _RUN_ID.search(body)) is not None:
        return named[1]
    if '"InvokeTask"' not in body:
        return None
    try:
        envelope = open_envelope(body)
    except MalformedEvent:
        return None
    command = envelope.message
    return (
        run_id_of(command.task, invocation_key(command, envelope))
        if isinstance(command, InvokeTask)
        else None
    )
