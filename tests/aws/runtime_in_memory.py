"""The runtime of a task server on AWS, in memory, and the events that it receives."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from cordyna_core.aws.runtime import Cancellations, ServerRuntime
from cordyna_core.aws.task_log import TaskLog
from cordyna_core.aws.work_queue import QueuedCommand
from cordyna_core.contract.base import Message, Meta
from cordyna_core.contract.commands import CancelTask, DescribeServer
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.time import utc
from cordyna_core.testing import MemoryClaims, RecordingBus
from server.builders import NOW, RUN, a_command

SERVER = "task-server-a"


class CancellableMemoryClaims(MemoryClaims):
    """Claims, leases and cancellations of one process."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled: set[tuple[str, str, int]] = set()
        self.asked = 0
        self.leased: set[tuple[str, str, int]] = set()
        """The attempts whose process is alive."""
        self.renewed: list[tuple[str, str, int]] = []
        self.renewal_fault: Exception | None = None
        self.queued: set[tuple[str, str, int]] = set()
        self.queued_reads = 0
        self.fault: Exception | None = None
        """What `note_queued` raises."""

    def renew(self, run_id: str, task: str, attempt: int) -> None:
        if self.renewal_fault is not None:
            raise self.renewal_fault
        self.renewed.append((run_id, task, attempt))

    def is_leased(self, run_id: str, task: str, attempt: int) -> bool:
        return (run_id, task, attempt) in self.leased

    def cancel(self, run_id: str, task: str, attempt: int) -> None:
        self.cancelled.add((run_id, task, attempt))
        self.claim(run_id, task, attempt)

    def is_cancelled(self, run_id: str, task: str, attempt: int) -> bool:
        self.asked += 1
        return (run_id, task, attempt) in self.cancelled

    def claimed(self, attempts: Sequence[tuple[str, str, int]]) -> set[tuple[str, str, int]]:
        return {attempt for attempt in attempts if attempt in self._taken}

    def note_queued(self, run_id: str, task: str, attempt: int) -> None:
        if self.fault is not None:
            raise self.fault
        self.queued.add((run_id, task, attempt))

    def is_queued(self, run_id: str, task: str, attempt: int) -> bool:
        self.queued_reads += 1
        return (run_id, task, attempt) in self.queued


@dataclass
class KeptQueue:
    """A work queue in a list, that can be made to fail."""

    bodies: list[str] = field(default_factory=list)
    held: list[tuple[str, int]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    fault: Exception | None = None

    def send(self, body: str, *, delay_s: int = 0) -> None:
        if self.fault is not None:
            raise self.fault
        self.bodies.append(body)
        self.delays.append(delay_s)

    def receive(self, visibility_s: int) -> list[QueuedCommand]:
        if self.fault is not None:
            raise self.fault
        return (
            [QueuedCommand(self.bodies.pop(0), f"receipt-{len(self.bodies)}")]
            if self.bodies
            else []
        )

    def hold(self, delivery: QueuedCommand, visibility_s: int) -> None:
        if self.fault is not None:
            raise self.fault
        self.held.append((delivery.body, visibility_s))

    def delete(self, delivery: QueuedCommand) -> None:
        self.deleted.append(delivery.body)


class RuntimeInMemory:
    """Adapters in memory, and what was published through them."""

    def __init__(self, *, claims: CancellableMemoryClaims | None = None, queue: Any = None) -> None:
        self.now = NOW
        self.bus, self.out = RecordingBus(), StringIO()
        clock = lambda: self.now  # noqa: E731
        self.adapters = ServerRuntime(
            self.bus,
            claims,
            queue,
            Cancellations(claims, clock),
            TaskLog(self.out, clock),
            clock,
        )

    @property
    def published(self) -> list[str]:
        return [getattr(message, "state", type(message).__name__) for message in self.bus.published]


def event(message: Message, source: str = CEREBRO) -> dict[str, Any]:
    """The event with which EventBridge calls a Lambda."""
    made: dict[str, Any] = json.loads(seal(message, source, "event-1", utc(NOW)))
    return made


def run_task(**more: Any) -> dict[str, Any]:
    return event(a_command(**more))


def cancel_task(attempt: int = 1) -> dict[str, Any]:
    return event(CancelTask(server=SERVER, run_id=RUN, task="task-1", attempt=attempt))


def describe_all() -> dict[str, Any]:
    return event(DescribeServer(server="*", meta=Meta(id="the-request")))


def records(*events: dict[str, Any] | str) -> dict[str, Any]:
    """The event with which SQS calls a Lambda."""
    bodies = [body if isinstance(body, str) else json.dumps(body) for body in events]
    return {
        "Records": [{"messageId": f"message-{n}", "body": body} for n, body in enumerate(bodies)]
    }
