"""A task server in a container: workers on the queue behind its door."""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from cordyna_core import Context, TaskServer, UserError
from cordyna_core.aws import serve, sqs_worker
from cordyna_core.aws.runtime import work_queue
from cordyna_core.aws.settings import server_settings
from cordyna_core.aws.sqs_worker import VISIBILITY_S, Poller
from server.builders import NOW, a_server
from aws.runtime_in_memory import (
    CancellableMemoryClaims,
    Here,
    KeptQueue,
    cancel_task,
    roll_call,
    run_task,
)


def a_poller(
    server: TaskServer, *events: dict[str, Any], here: Here | None = None
) -> tuple[Poller, Here, KeptQueue]:
    queue = KeptQueue([json.dumps(event) for event in events])
    here = here or Here()
    return Poller(server, here.platform, queue), here, queue  # type: ignore[arg-type]


def test_a_command_is_run_and_its_message_deleted() -> None:
    poller, here, queue = a_poller(a_server(task_1=lambda: 1), run_task())
    here.now = NOW + 300  # it waited long: `queued` was said at the door
    poller.work_once()
    assert here.said == ["started", "completed"]
    assert len(queue.deleted) == 1


def test_nothing_on_the_queue_is_nothing_to_do() -> None:
    poller, here, queue = a_poller(a_server())
    poller.work_once()
    assert (here.said, queue.deleted) == ([], [])


def test_a_task_that_fails_is_done_with() -> None:
    poller, here, queue = a_poller(a_server(task_1=lambda: 1 / 0), run_task())
    poller.work_once()
    assert here.said == ["started", "error"]
    assert len(queue.deleted) == 1


def test_a_message_that_cannot_be_handled_is_left_to_be_delivered_again() -> None:
    poller, here, queue = a_poller(a_server(task_1=lambda: 1), run_task(server="another"))
    poller.work_once()
    assert (here.said, queue.deleted) == ([], [])


def test_a_message_is_held_while_its_body_runs_and_not_after() -> None:
    def task_1() -> None:
        poller.beat()

    poller, _, queue = a_poller(a_server(task_1=task_1), run_task())
    poller.work_once()
    poller.beat()
    assert queue.held == [(json.dumps(run_task()), VISIBILITY_S)]


def test_a_beat_that_fails_is_tried_again_by_the_next() -> None:
    def task_1() -> None:
        queue.fault = OSError("no network")
        poller.beat()
        queue.fault = None
        poller.beat()

    poller, here, queue = a_poller(a_server(task_1=task_1), run_task())
    poller.work_once()
    assert here.said == ["started", "completed"]
    assert len(queue.held) == 1


def test_a_message_that_comes_while_the_server_drains_is_given_back_at_once() -> None:
    poller, here, queue = a_poller(a_server(task_1=lambda: 1), run_task())
    poller.drain()
    poller.work_once()
    assert here.said == []
    assert queue.held == [(json.dumps(run_task()), 0)]


def test_a_cancellation_on_the_queue_reaches_a_body_in_this_process() -> None:
    seen: list[bool] = []

    def task_1(*, ctx: Context) -> None:
        poller.work_once()
        seen.append(ctx.cancelled)

    poller, _, _ = a_poller(a_server(task_1=task_1), run_task(), cancel_task())
    poller.work_once()
    assert seen == [True]


def test_a_command_whose_worker_was_killed_is_not_run_twice_where_there_are_claims() -> None:
    here = Here(claims=CancellableMemoryClaims())
    assert here.platform.claims is not None
    here.platform.claims.claim(
        run_task()["detail"]["run_id"], "task-1", 1
    )  # by the one that was killed
    poller, _, queue = a_poller(a_server(task_1=lambda: 1), run_task(), here=here)
    poller.work_once()
    assert here.said == []
    assert len(queue.deleted) == 1


def test_the_roll_call_is_answered_by_a_worker() -> None:
    poller, here, _ = a_poller(a_server(), roll_call())
    poller.work_once()
    assert here.said == ["ServerDeclared", "ready"]


def test_a_server_declares_itself_works_and_ends_when_it_has_drained() -> None:
    def task_1() -> None:
        # The last command: whoever runs the container now wants it to end.
        poller.drain()

    poller, here, queue = a_poller(
        a_server(task_1=task_1, task_2=lambda: 2), run_task(task="task-2"), run_task()
    )
    poller.run(2)
    assert here.said[:2] == ["ServerDeclared", "ready"]
    assert sorted(here.said[2:]) == ["completed", "completed", "started", "started"]
    assert len(queue.deleted) == 2
    assert not any(thread.name.startswith("worker") for thread in threading.enumerate())


def test_a_queue_that_cannot_be_asked_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs_worker, "AFTER_A_FAULT_S", 0.0)

    class FailsTwice(KeptQueue):
        faults = 2

        def receive(self, visibility_s: int) -> Any:
            if self.faults:
                self.faults -= 1
                raise OSError("no network")
            return super().receive(visibility_s)

    here, queue = Here(), FailsTwice([json.dumps(run_task())])
    poller = Poller(a_server(task_1=lambda: poller.drain()), here.platform, queue)  # type: ignore[arg-type]
    poller.run(1)
    assert here.said[-2:] == ["started", "completed"]


@pytest.fixture
def kept_signals() -> Any:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("kept_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_began_end_and_takes_no_more(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    here, queue = Here(), KeptQueue([json.dumps(run_task()), json.dumps(run_task(task="task-2"))])
    monkeypatch.setattr(sqs_worker, "build_server_runtime", lambda name: here.platform)
    monkeypatch.setattr(sqs_worker, "work_queue", lambda: queue)

    def task_1() -> None:
        os.kill(os.getpid(), number)
        while signal.getsignal(number) is not signal.SIG_DFL:
            pass  # the main thread takes the signal

    a_server(task_1=task_1, task_2=lambda: 2).serve(concurrency=1)

    assert here.said == ["ServerDeclared", "ready", "started", "completed"]


def test_a_server_without_a_queue_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORDYNA_QUEUE_URL", raising=False)
    monkeypatch.setattr(sqs_worker, "build_server_runtime", lambda name: Here().platform)
    work_queue.cache_clear()
    with pytest.raises(UserError, match="set CORDYNA_QUEUE_URL"):
        a_server().serve()


def a_module(folder: Path) -> str:
    (folder / "servers.py").write_text(
        "from cordyna_core import TaskServer\nserver = TaskServer('task-server-a')\n"
    )
    return f"{folder}/servers.py"


@pytest.mark.parametrize(
    ("arguments", "environ", "concurrency"),
    [(["{module}", "--concurrency", "9"], {}, 9), ([], {"CORDYNA_SERVER": "{module}"}, None)],
)
def test_a_container_runs_the_module(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    environ: dict[str, str],
    concurrency: int | None,
) -> None:
    module, served = a_module(tmp_path), list[tuple[str, int | None]]()
    monkeypatch.setattr(
        sqs_worker, "serve", lambda server, concurrency: served.append((server.name, concurrency))
    )
    for name, value in environ.items():
        monkeypatch.setenv(name, value.format(module=module))

    assert serve.main([argument.format(module=module) for argument in arguments]) == 0
    assert served == [("task-server-a", concurrency)]


def test_a_container_that_cannot_begin_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CORDYNA_SERVER", raising=False)
    assert serve.main([]) == 1
    assert capsys.readouterr().err.startswith("error: no task server is named")


def test_the_environment_says_how_many_bodies_run_at_a_time() -> None:
    assert server_settings({}).workers == 4
    assert server_settings({"CORDYNA_WORKERS": "16"}).workers == 16


@pytest.mark.parametrize("written", ["0", "-1", "many", "1.5"])
def test_a_number_of_workers_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(UserError, match="CORDYNA_WORKERS"):
        server_settings({"CORDYNA_WORKERS": written})


def test_an_empty_value_of_the_environment_is_none() -> None:
    assert server_settings({"CORDYNA_BUS": "", "CORDYNA_QUEUE_URL": ""}) == server_settings({})
