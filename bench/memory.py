"""The memory of the tracker: what a batch takes at each size, by its processor time.

    python bench/memory.py

The calls of a run are recorded once on moto, and then replayed from memory, so that only cerebro
and its clients of AWS are measured, as in a warm Lambda. A Lambda gets a processor of its own at
1,769 MB, and a part of it in proportion below (AWS Lambda, "Configure Lambda function memory").
The time that AWS takes to answer is assumed (ANSWER_MS).
"""

import statistics
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import prices
from aws_world import AwsWorld, client_of
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from graphs import fan

from cerebro.handlers.receive import BatchResult, Delivery, receive
from cerebro.shell import Ports

BATCH: Final = 10
WIDTH: Final = 120
FULL_PROCESSOR_MB: Final = 1769
SIZES_MB: Final = (256, 512, 1024, 1769)
ANSWER_MS: Final = 5.0
"""How long a call waits for AWS: most are reads and writes of a single item."""


class _Body:
    """The raw part of a response."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._content


@dataclass
class Tape:
    """The answers of AWS, in the order of the calls."""

    answers: deque[tuple[int, dict[str, str], bytes]] = field(default_factory=deque)

    def record(self, client: Any) -> None:
        client.meta.events.register("after-call", self._add)

    def replay(self, client: Any) -> None:
        client.meta.events.register_first("before-send", self._answer)

    def _add(self, http_response: Any, **_: object) -> None:
        if isinstance(http_response, AWSResponse):
            headers = {name: str(value) for name, value in http_response.headers.items()}
            self.answers.append((http_response.status_code, headers, http_response.content))

    def _answer(self, request: Any, **_: object) -> AWSResponse:
        status, kept_headers, content = self.answers.popleft()
        headers = HTTPHeaders()
        for name, value in kept_headers.items():
            headers[name] = value
        return AWSResponse(request.url, status, headers, _Body(content))


@dataclass
class Measured:
    """Processor seconds and messages of each batch of the tracker, and the calls it made."""

    cpu_s: list[float] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)
    calls: int = 0


def run_with(tape: Tape, *, recording: bool) -> Measured:
    """Return one fan-out in a new world; the same calls each time."""
    measured = Measured()

    def make_client(service: str) -> Any:
        made = client_of(service)
        (tape.record if recording else tape.replay)(made)
        return made

    def handle(batch: Sequence[Delivery], ports: Ports) -> BatchResult:
        before = len(tape.answers)
        began = time.process_time()
        outcome = receive(batch, ports)
        if '"TaskStateChanged"' in batch[0].body:
            measured.cpu_s.append(time.process_time() - began)
            measured.messages.append(len(batch))
            measured.calls += abs(len(tape.answers) - before)
        return outcome

    with AwsWorld(
        BATCH,
        "queue",
        reported=("started", "completed"),
        make_client=make_client,
        handle=handle,
    ) as world:
        graph = fan(WIDTH)
        world.declare(graph)
        for _ in range(3):
            world.run(graph)
        measured = Measured()
        world.run(graph)
    return measured


def main() -> None:
    """Print the table."""
    tape = Tape()
    run_with(tape, recording=True)
    measured = run_with(tape, recording=False)
    full = [
        cpu * 1000
        for cpu, messages in zip(measured.cpu_s, measured.messages, strict=True)
        if messages == BATCH
    ]
    messages = sum(measured.messages)
    cpu_ms = sum(measured.cpu_s) * 1000 / messages
    calls = measured.calls / messages
    print(
        f"{messages} updates in {len(measured.messages)} batches; {cpu_ms:.1f} ms of a processor "
        f"and {calls:.1f} calls each; a full batch: median {statistics.median(full):.0f} ms"
    )
    print(f"{'MB':>6}{'ms a message':>16}{'s a full batch':>16}{'$ per million messages':>26}")
    for size in SIZES_MB:
        share = min(1.0, size / FULL_PROCESSOR_MB)
        spent_ms = cpu_ms / share + calls * ANSWER_MS
        batch_s = (statistics.median(full) / share + BATCH * calls * ANSWER_MS) / 1000
        dollars = spent_ms / 1000 * size / 1024 * prices.GB_SECOND.per_million
        print(f"{size:6}{spent_ms:16.0f}{batch_s:16.2f}{dollars:26.2f}")


if __name__ == "__main__":
    main()
