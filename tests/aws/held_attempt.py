"""Attempts whose `started` is held by a process, and the endpoint to which it is sent."""

import fcntl
import json
import os
import subprocess
import termios
import threading
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from cordyna_core.attempt import Attempt
from cordyna_core.aws.start_sender import StartSender
from cordyna_core.contract.base import Message
from cordyna_core.testing import RecordingBus
from server.builders import NOW, a_command


@dataclass
class Endpoint:
    """EventBridge as a process of its own; `received` is the pipe of its requests."""

    url: str
    pipe: int
    process: "subprocess.Popen[str]"
    _received: IO[str] = field(init=False)

    def __post_init__(self) -> None:
        self._received = os.fdopen(self.pipe)

    def next(self) -> dict[str, Any]:
        """Wait for the next request."""
        request: dict[str, Any] = json.loads(self._received.readline())
        return request

    def next_state(self) -> str:
        (entry,) = self.next()["entries"]
        state: str = json.loads(entry["Detail"])["state"]
        return state

    def close(self) -> list[str]:
        """Stop it; returns the states that were not read yet."""
        if self._received.closed:
            return []
        self.process.kill()
        self.process.communicate()
        with self._received:
            rest = [json.loads(line) for line in self._received]
        return [json.loads(entry["Detail"])["state"] for one in rest for entry in one["entries"]]


@dataclass
class HeldAttempt:
    """An attempt whose `started` is held by a sender; what this process publishes."""

    sender: StartSender
    bus: Any = field(default_factory=RecordingBus)

    def begin(self, delay_s: float) -> Attempt:
        attempt = Attempt(a_command(), self.bus, lambda: NOW, lambda: False)
        attempt.hold_start(delay_s, self.sender.hold)
        return attempt

    @property
    def states(self) -> list[tuple[str, bool]]:
        """Each state, and whether it names when the body began."""
        return [(update.state, update.started_at is not None) for update in self.bus.published]


class SignallingBus(RecordingBus):
    """A bus whose first message is waited for."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.has_published = threading.Event()
        self.failures = failures

    def publish(self, messages: Sequence[Message]) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no bus")
        super().publish(messages)
        self.has_published.set()


def pid_of(sender: StartSender) -> int:
    assert sender._process is not None
    return sender._process.pid


def unread_bytes(sender: StartSender) -> int:
    """What the process has not read yet."""
    assert sender._process is not None
    assert sender._process.stdin is not None
    size = array("i", [0])
    fcntl.ioctl(sender._process.stdin.fileno(), termios.FIONREAD, size)
    return size[0]
