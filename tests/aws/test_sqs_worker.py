"""A task server in a container: worker threads on its queue."""

import json
import os
import signal
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from aws.runtime_in_memory import (
    CancellableMemoryClaims,
    KeptQueue,
    RuntimeInMemory,
    cancel_task,
    describe_all,
    run_task,
)
from cordyna_core import Context, TaskServer, UserError
from cordyna_core.aws import sqs_worker
from cordyna_core.aws.runtime import work_queue
from cordyna_core.aws.settings import server_settings
from cordyna_core.aws.sqs_worker import DRAIN_MAX_S, PAUSE_AFTER_ERROR_S, SqsWorker
from cordyna_core.aws.task_protection import TaskProtection
from cordyna_core.aws.visibility import VISIBILITY_S
from server.builders import NOW, a_server


def a_worker(
    server: TaskServer, *events: dict[str, Any], runtime: RuntimeInMemory | None = None
) -> tuple[SqsWorker, RuntimeInMemory, KeptQueue]:
    queue = KeptQueue([json.dumps(event) for event in events])
    runtime = runtime or RuntimeInMemory()
    return SqsWorker(server, runtime.adapters, queue), runtime, queue  # type: ignore[arg-type]


def test_worker_command_is_run_and_deleted() -> None:
    worker, runtime, queue = a_worker(a_server(task_1=lambda: 1), run_task())
    runtime.now = NOW + 300  # it waited long: `queued` was reported before
    worker.handle_next()
    assert runtime.published == ["started", "completed"]
    assert len(queue.deleted) == 1


def test_worker_empty_queue_does_nothing() -> None:
    worker, runtime, queue = a_worker(a_server())
    worker.handle_next()
    assert (runtime.published, queue.deleted) == ([], [])


def test_worker_failed_task_is_deleted() -> None:
    worker, runtime, queue = a_worker(a_server(task_1=lambda: 1 / 0), run_task())
    worker.handle_next()
    assert runtime.published == ["started", "error"]
    assert len(queue.deleted) == 1


def test_worker_unhandled_message_is_not_deleted() -> None:
    worker, runtime, queue = a_worker(a_server(task_1=lambda: 1), run_task(server="another"))
    worker.handle_next()
    assert (runtime.published, queue.deleted) == ([], [])


def test_worker_message_is_held_while_its_body_runs() -> None:
    def task_1() -> None:
        worker.extend_visibility()

    worker, _, queue = a_worker(a_server(task_1=task_1), run_task())
    worker.handle_next()
    worker.extend_visibility()
    assert queue.held == [(json.dumps(run_task()), VISIBILITY_S)]


def test_worker_protects_its_instance_while_a_body_runs() -> None:
    """Each heartbeat extends the protection, which ends with the last body."""
    states: list[bool] = []

    def put(_: str, body: bytes) -> None:
        states.append(json.loads(body)["ProtectionEnabled"])

    def task_1() -> None:
        assert states == [True]
        worker.extend_visibility()

    runtime, queue = RuntimeInMemory(), KeptQueue([json.dumps(run_task())])
    protection = TaskProtection("http://agent", put)
    worker = SqsWorker(a_server(task_1=task_1), runtime.adapters, queue, protection)  # type: ignore[arg-type]
    worker.handle_next()
    assert runtime.published == ["started", "completed"]
    assert states == [True, True, False]


def test_worker_failed_heartbeat_is_tried_again() -> None:
    def task_1() -> None:
        queue.fault = OSError("no network")
        worker.extend_visibility()
        queue.fault = None
        worker.extend_visibility()

    worker, runtime, queue = a_worker(a_server(task_1=task_1), run_task())
    worker.handle_next()
    assert runtime.published == ["started", "completed"]
    assert len(queue.held) == 1


def test_worker_draining_returns_the_message() -> None:
    worker, runtime, queue = a_worker(a_server(task_1=lambda: 1), run_task())
    worker.drain()
    worker.handle_next()
    assert runtime.published == []
    assert queue.held == [(json.dumps(run_task()), 0)]


def test_worker_cancel_on_the_queue_reaches_the_body() -> None:
    seen: list[bool] = []

    def task_1(*, ctx: Context) -> None:
        worker.handle_next()
        seen.append(ctx.cancelled)

    worker, _, _ = a_worker(a_server(task_1=task_1), run_task(), cancel_task())
    worker.handle_next()
    assert seen == [True]


def test_worker_command_of_killed_worker_is_not_run_twice() -> None:
    runtime = RuntimeInMemory(claims=CancellableMemoryClaims())
    assert runtime.adapters.claims is not None
    runtime.adapters.claims.claim(
        run_task()["detail"]["run_id"], "task-1", 1
    )  # by the one that was killed
    worker, _, queue = a_worker(a_server(task_1=lambda: 1), run_task(), runtime=runtime)
    worker.handle_next()
    assert runtime.published == []
    assert len(queue.deleted) == 1


def test_worker_describe_server_is_answered() -> None:
    worker, runtime, _ = a_worker(a_server(), describe_all())
    worker.handle_next()
    assert runtime.published == ["ServerDeclared", "ready"]


def test_worker_run_declares_then_works_until_drained() -> None:
    def task_1() -> None:
        # The last command, after which the container shall end.
        worker.drain()

    worker, runtime, queue = a_worker(
        a_server(task_1=task_1, task_2=lambda: 2), run_task(task="task-2"), run_task()
    )
    worker.run(2)
    assert runtime.published[:2] == ["ServerDeclared", "ready"]
    assert sorted(runtime.published[2:]) == ["completed", "completed", "started", "started"]
    assert len(queue.deleted) == 2
    assert not any(thread.name.startswith("worker") for thread in threading.enumerate())


def test_worker_queue_fails_is_asked_again_after_a_pause() -> None:
    pauses: list[float] = []

    class Draining(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if timeout is None:
                return super().wait()
            pauses.append(timeout)
            return self.is_set()

    class FailsTwice(KeptQueue):
        faults = 2

        def receive(self, visibility_s: int) -> Any:
            if self.faults:
                self.faults -= 1
                raise OSError("no network")
            return super().receive(visibility_s)

    runtime, queue = RuntimeInMemory(), FailsTwice([json.dumps(run_task())])
    worker = SqsWorker(a_server(task_1=lambda: worker.drain()), runtime.adapters, queue)  # type: ignore[arg-type]  # noqa: PLW0108
    worker._draining = Draining()
    worker.run(1)
    assert runtime.published[-2:] == ["started", "completed"]
    assert pauses == [PAUSE_AFTER_ERROR_S] * 2


def test_worker_waits_for_all_bodies_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them hangs: what one has waited for is not waited for again."""
    now, waits = 0.0, []

    def join(thread: threading.Thread, timeout: float = 0.0) -> None:
        nonlocal now
        waits.append(timeout)
        now += timeout

    monkeypatch.setattr(sqs_worker, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(threading.Thread, "join", join)
    runtime = RuntimeInMemory()
    worker = SqsWorker(a_server(), runtime.adapters, KeptQueue(), drain_max_s=25)  # type: ignore[arg-type]
    worker.drain()
    worker.run(3)
    assert waits == [25, 0, 0]


@pytest.fixture
def kept_signals() -> Any:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("kept_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_signal_ends_after_running_bodies(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    runtime, queue = (
        RuntimeInMemory(),
        KeptQueue([json.dumps(run_task()), json.dumps(run_task(task="task-2"))]),
    )
    monkeypatch.setattr(sqs_worker, "build_server_runtime", lambda name: runtime.adapters)
    monkeypatch.setattr(sqs_worker, "work_queue", lambda: queue)

    def task_1() -> None:
        os.kill(os.getpid(), number)
        while signal.getsignal(number) is not signal.SIG_DFL:
            pass  # the main thread takes the signal

    sqs_worker.serve(a_server(task_1=task_1, task_2=lambda: 2), concurrency=1)

    assert runtime.published == ["ServerDeclared", "ready", "started", "completed"]


@pytest.mark.usefixtures("kept_signals")
@pytest.mark.parametrize(("configured", "drain_s"), [(None, DRAIN_MAX_S), ("25", 25)])
def test_serve_drains_for_as_long_as_is_configured(
    monkeypatch: pytest.MonkeyPatch, configured: str | None, drain_s: float
) -> None:
    begun: list[float] = []

    class Worker(SqsWorker):
        def run(self, concurrency: int) -> None:
            begun.append(self._drain_max_s)

    if configured is not None:
        monkeypatch.setenv("CORDYNA_DRAIN_S", configured)
    monkeypatch.setattr(sqs_worker, "SqsWorker", Worker)
    monkeypatch.setattr(sqs_worker, "build_server_runtime", lambda name: RuntimeInMemory().adapters)
    monkeypatch.setattr(sqs_worker, "work_queue", KeptQueue)
    sqs_worker.serve(a_server())
    assert begun == [drain_s]


def test_serve_without_queue_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORDYNA_QUEUE_URL", raising=False)
    monkeypatch.setattr(sqs_worker, "build_server_runtime", lambda name: RuntimeInMemory().adapters)
    work_queue.cache_clear()
    with pytest.raises(UserError, match="set CORDYNA_QUEUE_URL"):
        sqs_worker.serve(a_server())


def test_settings_workers_are_read() -> None:
    assert server_settings({}).workers is None
    assert server_settings({"CORDYNA_WORKERS": "16"}).workers == 16


def test_settings_drain_time_is_read() -> None:
    assert server_settings({}).drain_s is None
    assert server_settings({"CORDYNA_DRAIN_S": "25"}).drain_s == 25


@pytest.mark.parametrize("name", ["CORDYNA_WORKERS", "CORDYNA_DRAIN_S"])
@pytest.mark.parametrize("written", ["0", "-1", "many", "1.5"])
def test_settings_bad_numbers_are_refused(name: str, written: str) -> None:
    with pytest.raises(UserError, match=name):
        server_settings({name: written})


def test_settings_empty_variable_is_not_set() -> None:
    assert server_settings({"CORDYNA_BUS": "", "CORDYNA_QUEUE_URL": ""}) == server_settings({})
