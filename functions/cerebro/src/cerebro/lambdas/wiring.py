"""Composition of cerebro on AWS: settings, clients, clock, ports.

Invariant: the environment is read once; a client is created once per process, when it is first
needed; nothing at import.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal

from pydantic_settings import BaseSettings, SettingsConfigDict

from cerebro.adapters.aws.crons import AwsCrons
from cerebro.adapters.aws.dead_letters import SqsDeadLetters
from cerebro.adapters.aws.dynamodb_store import DynamoStore
from cerebro.adapters.aws.eventbridge import EventBridge
from cerebro.adapters.aws.retry_delay import RetryDelay
from cerebro.adapters.aws.schedules import ScheduleTarget
from cerebro.adapters.aws.timers import AwsTimers, TimerTargets
from cerebro.shell import Ports
from cordyna_core.aws.clients import client, longest_call_s

Clients = Callable[[str], Any]
"""The name of a service -> the client of this process."""

CONNECT_TIMEOUT_S: Final = 1.0
READ_TIMEOUT_S: Final = 4.0
CALL_MAX_S: Final = longest_call_s(
    connect_timeout_s=CONNECT_TIMEOUT_S, read_timeout_s=READ_TIMEOUT_S
)
"""How long a call may take that does not answer: a handler keeps more free (runtime.py)."""


def aws_client(service: str) -> Any:
    """Return the process's client of a service, which gives up a call after CALL_MAX_S."""
    return client(service, connect_timeout_s=CONNECT_TIMEOUT_S, read_timeout_s=READ_TIMEOUT_S)


class CerebroSettings(BaseSettings):
    """The environment: `CORDYNA_TABLE` and so on.

    An address that a function does not need may be missing.
    """

    model_config = SettingsConfigDict(env_prefix="CORDYNA_", frozen=True, extra="ignore")

    bus: str = "cordyna"
    table: str
    timekeeper_queue_url: str = ""
    timekeeper_queue_arn: str = ""
    tracker_queue_url: str = ""
    incidents_queue_url: str = ""
    wait_state_machine_arn: str = ""
    schedule_group: str = ""
    timers: Literal["states", "queue"] = "states"
    scheduler_role_arn: str = ""
    schedule_dead_letter_arn: str = ""
    dead_letter_queue_url: str = ""
    queue_url: str = ""
    retention_days: float = 90.0


def aws_ports(
    settings: CerebroSettings, clients: Clients = aws_client, clock: Callable[[], float] = time.time
) -> Ports:
    """Return the ports of cerebro on AWS.

    Region, credentials and endpoint come from botocore's own chain.
    """
    store = DynamoStore(
        clients("dynamodb"),
        settings.table,
        clock=clock,
        sleep=time.sleep,
        retention_days=settings.retention_days,
    )
    target = ScheduleTarget(
        queue_arn=settings.timekeeper_queue_arn,
        role_arn=settings.scheduler_role_arn,
        dead_letter_arn=settings.schedule_dead_letter_arn,
    )
    targets = TimerTargets(
        timekeeper_queue_url=settings.timekeeper_queue_url,
        tracker_queue_url=settings.tracker_queue_url,
        incidents_queue_url=settings.incidents_queue_url,
        wait_state_machine_arn=settings.wait_state_machine_arn,
        schedule_group=settings.schedule_group,
        waits_in_queue=settings.timers == "queue",
    )
    scheduler = partial(clients, "scheduler")
    return Ports(
        store=store,
        bus=EventBridge(clients("events"), settings.bus, time.sleep),
        timers=AwsTimers(
            targets,
            target,
            clock,
            sqs=partial(clients, "sqs"),
            stepfunctions=partial(clients, "stepfunctions"),
            scheduler=scheduler,
        ),
        crons=AwsCrons(settings.schedule_group, target, store.read_graph, scheduler),
        clock=clock,
    )


def dead_letters(settings: CerebroSettings, clients: Clients = aws_client) -> SqsDeadLetters:
    """Return the dead-letter queue of this function."""
    return SqsDeadLetters(partial(clients, "sqs"), settings.dead_letter_queue_url)


def retry_delay(settings: CerebroSettings, clients: Clients = aws_client) -> RetryDelay:
    """Return the delay of failed messages of this function's queue."""
    return RetryDelay(partial(clients, "sqs"), settings.queue_url)
