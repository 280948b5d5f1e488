"""A container's task server: messages of its work queue, run in worker processes."""

import json
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from aws.runtime_in_memory import (
    CancellableMemoryClaims,
    KeptQueue,
    RuntimeInMemory,
    describe_all,
    run_task,
)
from cordyna_core import UserError
from cordyna_core.aws.sqs_worker import SqsWorker
from cordyna_core.contract.base import ErrorDescription, Message
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.entrypoints import running_attempt
from cordyna_core.entrypoints.process_server import ProcessServer
from cordyna_core.errors import Fatal
from cordyna_core.worker.settings import Settings
from server.builders import NOW, a_command
from worker.running import FAST, SERVERS, read_when_there, wait_until_dead

TARGET = str(SERVERS / "container.py")


@pytest.fixture(scope="module")
def server() -> Iterator[ProcessServer]:
    with ProcessServer(TARGET, settings=FAST._replace(default_grace_s=0.01)) as made:
        yield made


@pytest.fixture
def kept_streams() -> Iterator[None]:
    """What installing a task log replaces is as before afterwards."""
    kept, root = (sys.stdout, sys.stderr), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    sys.stdout, sys.stderr = kept
    root.handlers[:] = handlers
    root.setLevel(level)


def handled(
    server: ProcessServer, runtime: RuntimeInMemory, *events: dict[str, Any]
) -> tuple[SqsWorker, KeptQueue]:
    """Handle these messages, one after another."""
    queue = KeptQueue([json.dumps(event) for event in events])
    worker = SqsWorker(server, runtime.adapters, queue)  # type: ignore[arg-type]
    for _ in events:
        worker.handle_next()
    return worker, queue


def later(**fields: Any) -> dict[str, Any]:
    """A command that is fresh by the real clock, which the host reads."""
    return run_task(ack_by="2126-09-21T14:13:30Z", start_by="2126-09-21T14:23:20Z", **fields)


def test_process_server_is_what_its_file_declares(server: ProcessServer) -> None:
    runtime = RuntimeInMemory()
    handled(server, runtime, describe_all())

    assert (server.name, server.concurrency) == ("task-server-a", 2)
    assert runtime.published == ["ServerDeclared", "ready"]


def test_process_server_publishes_what_the_body_reports(server: ProcessServer) -> None:
    runtime = RuntimeInMemory()
    _, queue = handled(server, runtime, later())

    assert runtime.published == ["started", "started", "InvokeTask", "completed"]
    *_, invoked, final = runtime.bus.published
    assert isinstance(invoked, InvokeTask)
    assert isinstance(final, TaskStateChanged)
    assert final.output["module"] == "container"
    assert final.meta is not None
    assert final.meta.cause == "the-command"
    assert len(queue.deleted) == 1


@pytest.mark.usefixtures("kept_streams")
def test_process_server_output_names_its_attempt(server: ProcessServer) -> None:
    runtime = RuntimeInMemory()
    runtime.adapters.log.install()
    handled(server, runtime, later())

    lines = [json.loads(line) for line in runtime.out.getvalue().splitlines()]
    assert {(line["task"], line["attempt"]) for line in lines} == {("task-1", 1)}
    shown = {(line["stream"], line["level"], line["message"].split("\n")[0]) for line in lines}
    assert shown == {
        ("stdout", "INFO", "hello"),
        ("stderr", "INFO", "careful"),
        ("log", "INFO", "rows: 3"),
        ("log", "ERROR", "it failed"),
    }
    (failed,) = [line for line in lines if line["level"] == "ERROR"]
    assert failed["logger"] == "sales"
    assert "ZeroDivisionError" in failed["message"]


def test_process_server_worker_that_dies_is_answered(server: ProcessServer) -> None:
    runtime = RuntimeInMemory()
    _, queue = handled(server, runtime, later(task="dies"))

    final = runtime.bus.published[-1]
    assert isinstance(final, TaskStateChanged)
    assert final.error is not None
    assert (final.reason, final.error.type) == ("worker_died", "WorkerDied")
    assert "exit code 3" in final.error.message
    assert len(queue.deleted) == 1


def test_process_server_run_clock_is_enforced(server: ProcessServer, tmp_path: Path) -> None:
    runtime = RuntimeInMemory()
    params = {"marker": str(tmp_path / "marker")}
    handled(server, runtime, later(task="wait-for-cancel", params=params))

    final = runtime.bus.published[-1]
    assert isinstance(final, TaskStateChanged)
    assert final.reason == "run_timeout"


def test_process_server_cancel_ends_the_body(
    server: ProcessServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. The table of cancellations cannot be read. 2. It can, and the body is ended."""
    monkeypatch.setattr(running_attempt, "CANCELLED_READ_INTERVAL_S", 0.01)
    marker, bus = tmp_path / "marker", FailingBus("", 0)
    answers: list[bool | Exception] = [False, OSError("no table"), True]

    def cancelled() -> bool:
        if len(answers) == 1:
            read_when_there(marker)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    params = {"marker": str(marker), "file": str(tmp_path / "never")}
    command = a_command(task="waits-for-a-file", params=params, start_by="2126-01-01T00:00:00Z")
    server.run(command, bus=bus, clock=lambda: NOW, queued=True, cancelled=cancelled)

    assert (bus.published, bus.reasons) == (["started", "error"], ["cancelled"])
    wait_until_dead(int(marker.read_text()))


def test_process_server_duplicate_is_answered_once(server: ProcessServer, tmp_path: Path) -> None:
    marker, file = tmp_path / "marker", tmp_path / "file"
    runtime = RuntimeInMemory()
    params = {"marker": str(marker), "file": str(file)}
    first = threading.Thread(
        target=handled, args=(server, runtime, later(task="waits-for-a-file", params=params))
    )
    first.start()
    read_when_there(marker)
    handled(server, runtime, later(task="waits-for-a-file", params=params))
    assert "completed" not in runtime.published
    file.touch()
    first.join()
    assert runtime.published == ["started", "completed"]


def test_process_server_stale_command_is_not_run(server: ProcessServer) -> None:
    runtime = RuntimeInMemory()
    runtime.now = NOW + 1e4
    _, queue = handled(server, runtime, run_task())

    assert runtime.published == []
    assert len(queue.deleted) == 1


def test_process_server_claimed_attempt_is_not_run(server: ProcessServer) -> None:
    runtime = RuntimeInMemory(claims=CancellableMemoryClaims())
    handled(server, runtime, later(), later())

    assert runtime.published.count("completed") == 1


def test_process_server_queues_and_fails_as_the_server(server: ProcessServer) -> None:
    runtime, clock = RuntimeInMemory(), lambda: NOW
    assert server.queue(a_command(), bus=runtime.bus, clock=clock)
    assert not server.queue(a_command(), bus=runtime.bus, clock=lambda: NOW + 11)
    error = ErrorDescription(type="E", message="m")
    server.fail(a_command(), error, bus=runtime.bus, clock=clock)

    assert runtime.published == ["queued", "error"]
    with pytest.raises(Fatal, match="another"):
        server.queue(a_command(server="another"), bus=runtime.bus, clock=clock)


class FailingBus:
    """A bus that fails for some messages, a number of times."""

    def __init__(self, kinds: str, times: int) -> None:
        self.kinds, self.times = kinds, times
        self.published: list[str] = []
        self.reasons: list[str] = []

    def publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            kind = getattr(message, "state", type(message).__name__)
            if kind in self.kinds and self.times:
                self.times -= 1
                raise OSError("no network")
            self.published.append(kind)
            if kind == "error":
                self.reasons.append(getattr(message, "reason", ""))


def run_on(server: ProcessServer, bus: FailingBus, attempt: int = 1) -> None:
    command = a_command(attempt=attempt, start_by="2126-09-21T14:23:20Z")
    server.run(command, bus=bus, clock=lambda: NOW, queued=True, cancelled=lambda: False)


def test_process_server_lost_start_is_not_published(server: ProcessServer) -> None:
    bus = FailingBus("started", 2)
    run_on(server, bus)
    assert bus.published == ["InvokeTask", "completed"]


def test_process_server_lost_command_is_published_again(server: ProcessServer) -> None:
    bus = FailingBus("InvokeTask", 1)
    run_on(server, bus)
    assert bus.published == ["started", "started", "InvokeTask", "completed"]


def test_process_server_lost_final_state_is_raised(server: ProcessServer) -> None:
    bus = FailingBus("completed", 1)
    with pytest.raises(OSError, match="no network"):
        run_on(server, bus)
    run_on(server, bus)  # delivered again
    assert bus.published[-1] == "completed"


def test_process_server_that_does_not_load_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "broken_here.py"
    target.write_text("raise ValueError('no table')\n")
    with pytest.raises(UserError, match="ValueError: no table"):
        ProcessServer(str(target))


def test_process_server_whose_pool_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()
    with ProcessServer(TARGET, settings=Settings(), on_failure=failed.set) as server:
        monkeypatch.setattr(server._pool, "receive", lambda: 1 / 0)
        host = server._pool.host_pid
        with pytest.raises(UserError, match="the worker pool of this process has failed"):
            run_on(server, FailingBus("", 0))
        failed.wait()
        assert server.has_failed
        with pytest.raises(UserError, match="the worker pool of this process has failed"):
            run_on(server, FailingBus("", 0), attempt=2)
    wait_until_dead(host)
