"""The latency of a hop on the local cloud, part by part, beside a bare put_events -> Lambda on the
same bus.

    make cloud && make latency            with a fan-out of 1,000 to a server that answers at once
    python bench/latency.py --width 0     without it

It shows what cerebro adds to the deliveries of AWS, which take longer than the emulator's
(docs/architecture.md). Times are those that messages carry, all of one machine's clock; everything
is warm.
"""

import argparse
import io
import json
import os
import statistics
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import boto3
from botocore.exceptions import EndpointConnectionError
from wide_server import TARGET, WideServer

from cordyna_cli.aws.engine import AwsEngine, open_engine
from cordyna_cli.engine import EngineOptions, Invoked
from cordyna_core.contract.commands import InvokeTask, RunTask
from cordyna_core.contract.envelope import Envelope, open_envelope
from cordyna_core.contract.state_updates import TaskStateChanged

RUNS: Final = 20
WIDTH: Final = 1_000
LEFT_MIN_S: Final = 8.0
"""A command leaves within two seconds of its clock, which is ten seconds."""

BUS: Final = "cordyna"
ENDPOINT: Final = os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
BARE: Final = "bench-latency"
CODE: Final = """
import time
def handler(event, context):
    with open(event["detail"]["path"], "a") as file:
        file.write(f"{time.time()}\\n")
"""

Moment = tuple[str, str]
"""A task, and `sent` or its state."""

PARTS: Final[Mapping[str, tuple[Moment, Moment]]] = {
    "completed -> RunTask (bus, queue, tracker)": (
        ("stock-levels", "completed"),
        ("task-2", "sent"),
    ),
    "RunTask -> started (bus, ingress, work queue)": (("task-2", "sent"), ("task-2", "started")),
    "a hop, completed -> started": (("stock-levels", "completed"), ("task-2", "started")),
}


def measure(width: int) -> int:
    """Print the report, with a fan-out unless `width` is 0; return the exit status."""
    try:
        report()
        if width:
            report_fan_out(width)
    except EndpointConnectionError as refused:
        sys.stderr.write(
            f"error: no local cloud answers at {ENDPOINT}.\n  {refused}\n  next: make cloud\n"
        )
        return 1
    return 0


def report() -> None:
    """Medians and ninetieth percentiles, in milliseconds."""
    client = {service: _client(service) for service in ("events", "lambda")}
    with bare_function(client) as path:
        show(f"bare put_events -> Lambda, {RUNS} times", bare_latency(client["events"], path))
    with open_engine(EngineOptions(endpoint_url=ENDPOINT, region="us-east-1", bus=BUS)) as engine:
        run_once(engine)
        runs = [run_once(engine) for _ in range(RUNS)]
    for title, (first, second) in PARTS.items():
        show(
            title,
            [
                (moments[second] - moments[first]) * 1000
                for moments in runs
                if {first, second} <= moments.keys()
            ],
        )


def report_fan_out(width: int) -> None:
    """Run a fan-out, and print how long it took and how soon its commands left.

    Raises AssertionError if a clock expired, or a body was asked for twice.
    """
    with (
        WideServer(_client).serving(width) as received,
        open_engine(EngineOptions(endpoint_url=ENDPOINT, region="us-east-1", bus=BUS)) as engine,
    ):
        while engine.plan(TARGET).problems:
            time.sleep(0.5)
        began = time.monotonic()
        invoked = engine.invoke(InvokeTask(task=TARGET))
        assert isinstance(invoked, Invoked), invoked
        *_, ended = engine.follow(invoked.run_id, timeout_s=900)
        took_s = time.monotonic() - began
        failed = [task.task for task in ended.tasks if task.attempt != 1 or task.state == "error"]
    assert (ended.state, failed) == ("completed", []), (ended.state, failed)
    assert set(received.bodies.values()) == {1}, received.bodies.most_common(3)
    left = received.seconds_left
    sys.stdout.write(
        f"fan-out of {width}, every body once, no clock expired: {took_s:.1f} s; commands left "
        f"{min(left):.1f} to {max(left):.1f} s before their acknowledgement was due\n"
    )
    assert min(left) >= LEFT_MIN_S


def bare_latency(events: Any, path: Path) -> list[float]:
    """Return milliseconds from the request to the function's first line."""
    latencies = []
    for number in range(RUNS + 1):
        sent_at = time.time()
        detail = json.dumps({"path": str(path)})
        events.put_events(
            Entries=[{"EventBusName": BUS, "Source": BARE, "DetailType": BARE, "Detail": detail}]
        )
        while not path.exists() or len(lines := path.read_text().split()) <= number:
            time.sleep(0.005)
        latencies.append((float(lines[-1]) - sent_at) * 1000)
    # The first one started the function.
    return latencies[1:]


def run_once(engine: AwsEngine) -> dict[Moment, float]:
    """Return the time of each message of one run of task-3, UTC seconds."""
    invoked = engine.invoke(InvokeTask(task="task-3"))
    assert isinstance(invoked, Invoked), invoked
    *_, ended = engine.follow(invoked.run_id, timeout_s=60)
    assert ended.state == "completed", ended.state
    return dict(
        moment
        for event in engine.events(invoked.run_id)
        if _is_of_a_task(event.text)
        for moment in _moments(open_envelope(event.text))
    )


def show(title: str, milliseconds: Sequence[float]) -> None:
    """Print one line of the report."""
    p50, p90 = statistics.median(milliseconds), statistics.quantiles(milliseconds, n=10)[-1]
    sys.stdout.write(f"{title:46}{p50:8.1f} ms{p90:8.1f} ms (p90)\n")


@contextmanager
def bare_function(client: Mapping[str, Any]) -> Iterator[Path]:
    """A function behind a rule of the bus; it appends the time to the file that is yielded."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("bare.py", CODE)
    # The emulator runs it in its own Python, but the name must be valid.
    runtime = client["lambda"].get_function_configuration(FunctionName="task-server-a")["Runtime"]
    function = client["lambda"].create_function(
        FunctionName=BARE,
        Runtime=runtime,
        Handler="bare.handler",
        Role="arn:aws:iam::000000000000:role/bench",
        Code={"ZipFile": zipped.getvalue()},
    )
    client["events"].put_rule(
        Name=BARE, EventBusName=BUS, EventPattern=json.dumps({"source": [BARE]})
    )
    client["events"].put_targets(
        Rule=BARE, EventBusName=BUS, Targets=[{"Id": BARE, "Arn": function["FunctionArn"]}]
    )
    try:
        with TemporaryDirectory() as folder:
            yield Path(folder) / "times"
    finally:
        client["events"].remove_targets(Rule=BARE, EventBusName=BUS, Ids=[BARE])
        client["events"].delete_rule(Name=BARE, EventBusName=BUS)
        client["lambda"].delete_function(FunctionName=BARE)


def _is_of_a_task(text: str) -> bool:
    return isinstance(open_envelope(text).message, RunTask | TaskStateChanged)


def _moments(envelope: Envelope) -> Iterator[tuple[Moment, float]]:
    """What a message reports; the end of a short body names when it began, too."""
    message = envelope.message
    assert isinstance(message, RunTask | TaskStateChanged)
    if isinstance(message, RunTask):
        yield (message.task, "sent"), envelope.sent_at.timestamp()
        return
    if message.started_at is not None:
        yield (message.task, "started"), message.started_at.timestamp()
    yield (message.task, message.state), envelope.sent_at.timestamp()


def _client(service: Any) -> Any:
    return boto3.client(service, endpoint_url=ENDPOINT, region_name="us-east-1")


if __name__ == "__main__":
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    parser = argparse.ArgumentParser(description="Latency on the local cloud")
    parser.add_argument("--width", type=int, default=WIDTH, help="of the fan-out; 0: none")
    raise SystemExit(measure(parser.parse_args().width))
