"""A server with an interpreter of its own may have the version of the library before or after."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cordyna_core.server.cancellation import CancellationFlag
from cordyna_core.worker import python_server
from cordyna_core.worker.host.template_link import TemplateLink
from cordyna_core.worker.protocol import frame_bytes

SERVER = """
from cordyna_core import TaskServer

server = TaskServer("s")

@server.task
def a() -> str:
    return "done"
"""


def test_body_of_an_engine_that_names_no_clock_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "server_of_a_newer_version.py"
    file.write_text(SERVER)
    monkeypatch.setattr(sys, "path", [*sys.path])
    detail = {
        "server": "s",
        "run_id": "0" * 26,
        "task": "a",
        "attempt": 1,
        "ack_by": "2030-01-31T06:00:00Z",
        "start_by": "2030-01-31T06:00:00Z",
    }
    published: list[str] = []
    python_server.load(str(file)).run(
        detail, lambda _, text, is_final: published.append(text), CancellationFlag()
    )
    assert '"state":"completed"' in published[-1].replace(" ", "")


def test_body_of_an_older_template_starts_when_it_was_given_work() -> None:
    started: list[tuple[int, float]] = []
    worker = SimpleNamespace(
        process_exited=lambda code: None,
        set_child=lambda child, at: started.append((child.pid, at)),
    )
    process: Any = SimpleNamespace(channel=SimpleNamespace(), child=SimpleNamespace())
    services: Any = SimpleNamespace()
    link = TemplateLink(services, process, on_frame=print, on_exit=print)
    link._forking[1] = worker  # type: ignore[assignment]
    process.channel.on_line(frame_bytes("Forked", {"slot": 1, "pid": 4711}))
    assert started == [(4711, 0.0)]
