"""Serving in a container: the entry point, and `server.serve()` in a program."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cordyna_core import TaskServer, UserError
from cordyna_core.aws import serve as aws_serve
from cordyna_core.aws import sqs_worker
from cordyna_core.aws.runtime import work_queue
from cordyna_core.aws.serve import become_serve
from cordyna_core.entrypoints import serve
from cordyna_core.environment import WORKER_HOST_VARIABLE
from cordyna_core.server.task_server import target_of

SERVER = """
from cordyna_core import TaskServer
server = TaskServer("task-server-a", concurrency=3)
"""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file with a server, and a work queue that is named."""
    monkeypatch.setattr(serve, "work_queue", lambda: None)
    monkeypatch.setattr(aws_serve, "work_queue", lambda: None)
    monkeypatch.delenv(WORKER_HOST_VARIABLE, raising=False)
    path = tmp_path / "servers.py"
    path.write_text(SERVER)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "environ", "concurrency"),
    [
        (["{target}", "--concurrency", "9"], {"CORDYNA_WORKERS": "5"}, 9),
        ([], {"CORDYNA_SERVER": "{target}", "CORDYNA_WORKERS": "5"}, 5),
        (["{target}:server"], {}, 3),
    ],
)
def test_serve_main_runs_the_named_server(
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    arguments: list[str],
    environ: dict[str, str],
    concurrency: int,
) -> None:
    served: list[tuple[str, int | None]] = []
    monkeypatch.setattr(
        sqs_worker, "serve", lambda server, concurrency: served.append((server.name, concurrency))
    )
    for name, value in environ.items():
        monkeypatch.setenv(name, value.format(target=target))

    assert serve.main([argument.format(target=target) for argument in arguments]) == 0
    assert served == [("task-server-a", concurrency)]


def test_serve_main_without_server_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CORDYNA_SERVER", raising=False)
    assert serve.main([]) == 1
    assert capsys.readouterr().err.startswith("error: no task server is named")


def test_serve_main_that_does_not_load_says_why(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(target).write_text("raise ValueError('no table')\n")
    assert serve.main([target]) == 1
    assert "ValueError: no table" in capsys.readouterr().err


def test_serve_main_whose_pool_failed_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    def fail(server: Any, concurrency: int) -> None:
        server._failure = OSError("the host")

    monkeypatch.setattr(sqs_worker, "serve", fail)
    assert serve.main([target]) == 1


def test_server_serve_becomes_the_entry_point(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """Also of a server that the main program imports."""
    module = ModuleType("servers")
    module.__file__, module.ours = target, TaskServer("ours")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "servers", module)
    became: list[Any] = []
    monkeypatch.setattr(aws_serve, "become_serve", lambda *arguments: became.append(arguments))

    module.ours.serve(concurrency=2)
    monkeypatch.setenv(WORKER_HOST_VARIABLE, "a-token")
    module.ours.serve()  # a worker process runs bodies already

    assert became == [(f"{target}:ours", 2)]


def test_server_that_no_module_defines_is_refused() -> None:
    with pytest.raises(UserError, match='no module defines the server "local"'):
        target_of(TaskServer("local"))


def test_become_serve_replaces_the_process(target: str) -> None:
    replaced: list[tuple[str, list[str]]] = []
    become_serve(target, 4, replace=lambda *arguments: replaced.append(arguments))
    become_serve(target, replace=lambda *arguments: replaced.append(arguments))

    (program, arguments), (_, without) = replaced
    assert program == arguments[0] == sys.executable
    assert arguments[3:] == [target, "--concurrency", "4"]
    assert without[3:] == [target]
    assert repr(sys.path[0]) in arguments[2]


def test_become_serve_without_queue_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORDYNA_QUEUE_URL", raising=False)
    work_queue.cache_clear()
    with pytest.raises(UserError, match="set CORDYNA_QUEUE_URL"):
        become_serve("a.py")
