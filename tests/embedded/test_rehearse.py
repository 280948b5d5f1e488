"""Rehearsing on the embedded engine: a declaration is compared with the home's graph."""

from pathlib import Path

import pytest

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.engine import open_engine
from cerebro.embedded.storage.home import DiskHome, MemoryHome
from cordyna_cli.engine import EngineOptions
from cordyna_core import TaskServer
from cordyna_core.contract.views.rehearsal import RehearsalView

SERVER = """
from cordyna_core import TaskServer

server = TaskServer("{name}")
for task in {tasks}:
    server.task(name=task[0], upstream=task[1:])(lambda: None)
"""


def server(name: str, *tasks: str) -> TaskServer:
    """`server("a", "x", "y<-x")`"""
    made = TaskServer(name)
    for word in tasks:
        task, _, upstream = word.partition("<-")
        made.task(name=task, upstream=upstream.split(",") if upstream else [])(lambda: None)
    return made


def changes(view: RehearsalView) -> list[tuple[str, str]]:
    return [(change.change, change.task) for change in view.tasks]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    a, b = tmp_path / "a.py", tmp_path / "b.py"
    a.write_text(SERVER.format(name="a", tasks=[["x"]]))
    b.write_text(SERVER.format(name="b", tasks=[["y", "x"]]))
    return a, b


def test_rehearsal_compares_with_graph_and_declares_nothing() -> None:
    with EmbeddedEngine(MemoryHome(), [server("a", "x"), server("b", "y<-x")]) as engine:
        engine.tasks()
        before = engine.events(), engine.tasks()

        view = engine.rehearse([server("a", "z").declaration])

        assert changes(view) == [("removed", "x"), ("added", "z")]
        assert [(each.task, each.effect) for each in view.touched] == [("y", "unresolved")]
        assert (engine.events(), engine.tasks()) == before


def test_rehearsal_of_edited_own_file_compares_with_accepted(
    tmp_path: Path, files: tuple[Path, Path]
) -> None:
    options = EngineOptions(servers=tuple(map(str, files)), home=str(tmp_path / "home"))
    with open_engine(options) as engine:
        assert [task.task for task in engine.tasks()] == ["x", "y"]
    files[0].write_text(SERVER.format(name="a", tasks=[["x"], ["w", "y"]]))

    with open_engine(
        EngineOptions(servers=options.servers, home=options.home, declares=False)
    ) as engine:
        view = engine.rehearse([server("a", "x", "w<-y").declaration])
        assert changes(view) == [("added", "w")]
        assert [task.task for task in engine.tasks()] == ["x", "y"]
        assert not engine.drives


def test_rehearsal_includes_named_servers_never_declared(
    tmp_path: Path, files: tuple[Path, Path]
) -> None:
    options = EngineOptions(
        servers=tuple(map(str, files)), home=str(tmp_path / "home"), declares=False
    )

    with open_engine(options) as engine:
        view = engine.rehearse([server("b", "y<-x", "z<-y").declaration])

    assert changes(view) == [("added", "y"), ("added", "z")]
    assert view.missing == []


def test_rehearsal_on_home_driven_by_another_works(tmp_path: Path) -> None:
    with (
        EmbeddedEngine(DiskHome(tmp_path), [server("a", "x")]) as driver,
        EmbeddedEngine(DiskHome(tmp_path), [], declares=False) as looker,
    ):
        driver.tasks()
        view = looker.rehearse([server("b", "x").declaration])

    assert [problem.code for problem in view.problems] == ["owned_by_another"]
