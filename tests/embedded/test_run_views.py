"""Run views of an embedded engine: what is read while a run is live ends as the whole view."""

import threading
from typing import Final

import pytest

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.run_views import RunViewReader
from cerebro.embedded.storage.home import MemoryHome
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.commands import InvokeTask, RetryRun
from cordyna_core.contract.views.runs import RunView
from cordyna_core.errors import NotFound

LONG_AFTER_S: Final = 100_000.0
"""Everything is read again by then, however long a reading takes on this machine."""


def a_wide_server() -> TaskServer:
    server = TaskServer("one")
    for index in range(60):
        upstream = [f"t{index - 7}"] if index >= 7 else []
        server.task(name=f"t{index}", upstream=upstream)(lambda: {"rows": 3})
    server.task(name="bad", upstream=["t3"])(lambda: 1 // 0)
    server.task(name="all", upstream=[*(f"t{index}" for index in range(60)), "bad"])(lambda: None)
    return server


def invoked(engine: EmbeddedEngine, task: str) -> str:
    answer = engine.invoke(InvokeTask(task=task))
    assert isinstance(answer, Invoked)
    return answer.run_id


def reader_of(engine: EmbeddedEngine, run_id: str, now: list[float]) -> RunViewReader:
    return RunViewReader(engine._home, engine._session, run_id, lambda: now[0])


def test_views_while_a_run_is_live_end_as_the_whole_view() -> None:
    with EmbeddedEngine(MemoryHome(), [a_wide_server()]) as engine:
        engine.tasks()
        run_id = invoked(engine, "all")
        reader = reader_of(engine, run_id, [0.0])
        views = [reader.read() for _ in engine.follow(run_id)]
        assert views[-1] == engine.run(run_id)
        assert views[-1].state == "error"


def test_view_of_a_live_run_is_made_again_only_of_what_changed() -> None:
    release = threading.Event()
    server = TaskServer("one")
    server.task(name="first")(lambda: 1)
    server.task(name="held", upstream=["first"])(release.wait)
    server.task(name="last", upstream=["held"])(lambda: 2)
    with EmbeddedEngine(MemoryHome(), [server]) as engine:
        engine.tasks()
        run_id = invoked(engine, "last")
        now = [0.0]
        reader = reader_of(engine, run_id, now)
        for view in engine.follow(run_id):
            reader.read()
            if view.tasks[1].state == "started":
                break
        first, second = reader.read(), reader.read()
        assert first == second == engine.run(run_id)
        assert is_kept(first, second) == [True] * 3
        now[0] = LONG_AFTER_S
        assert is_kept(second, reader.read()) == [False] * 3
        release.set()
        *_, ended = engine.follow(run_id)
        assert ended.state == "completed"
        assert reader.read() == engine.run(run_id)


def test_view_after_a_retry_has_the_new_attempt() -> None:
    with EmbeddedEngine(MemoryHome(), [a_wide_server()]) as engine:
        engine.tasks()
        run_id = invoked(engine, "all")
        reader = reader_of(engine, run_id, [0.0])
        *_, ended = engine.follow(run_id)
        assert reader.read() == ended
        assert engine.command(RetryRun(run_id=run_id)) is None
        for _ in engine.follow(run_id):
            view = reader.read()
        assert view == engine.run(run_id)
        assert {task.task: task.attempt for task in view.tasks}["bad"] == 2


def test_view_of_an_unknown_run_is_not_found() -> None:
    with (
        EmbeddedEngine(MemoryHome(), [a_wide_server()]) as engine,
        pytest.raises(NotFound, match="is not known"),
    ):
        reader_of(engine, "0" * 26, [0.0]).read()


def is_kept(before: RunView, after: RunView) -> list[bool]:
    """For each task, whether its view is the same object."""
    return [task is last for task, last in zip(after.tasks, before.tasks, strict=True)]
