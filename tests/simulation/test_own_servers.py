"""One's own servers, simulated: their tasks, their clocks, no body of theirs."""

import sys
from pathlib import Path

import pytest

from cerebro.simulator.__main__ import main
from cerebro.simulator.campaign import replay_line
from cerebro.simulator.own_servers import declared_by
from cordyna_core.errors import NotFound, UserError

SERVER = """
from cordyna_core import TaskServer
server = TaskServer("{name}")

{tasks}
"""
FAILS = 'raise AssertionError("no body is run")'


def a_server(folder: Path, name: str, **upstreams: list[str]) -> str:
    tasks = "\n".join(
        f"@server.task(upstream={upstream})\ndef {task}():\n    {FAILS}\n"
        for task, upstream in upstreams.items()
    )
    file = folder / f"{name}.py"
    file.write_text(SERVER.format(name=name, tasks=tasks))
    return str(file)


def simulated(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["simulator", *words])
    return main()


def test_their_tasks_are_asked_for_and_their_bodies_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, reports = (
        a_server(tmp_path, "shop", orders=[], stock=[]),
        a_server(tmp_path, "reports", digest=["orders", "stock"]),
    )
    assert simulated(monkeypatch, "--server", shop, "--server", reports, "--seed", "1") == 0
    one = capsys.readouterr().out
    assert "digest attempt 1" in one
    assert "orders attempt 1" in one
    assert simulated(monkeypatch, "--server", shop, "--server", reports, "--seeds", "20") == 0
    assert "20 seeds" in capsys.readouterr().out


def test_a_world_of_theirs_that_breaks_is_told_by_the_line_that_replays_it() -> None:
    assert (
        replay_line(7, ["a.py", "b.c"])
        == "python -m cerebro.simulator --server a.py --server b.c --seed 7"
    )


def test_a_graph_that_would_be_rejected_is_not_simulated(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="tasks need each other"):
        declared_by([a_server(tmp_path, "shop", orders=["stock"], stock=["orders"])])


def test_a_task_that_none_of_them_declares_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'stock' is declared by none"):
        declared_by([a_server(tmp_path, "shop", orders=["stock"])])


def test_what_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotFound):
        declared_by(["nowhere.py"])
    with pytest.raises(SystemExit, match="2"):
        simulated(monkeypatch, "--server", "nowhere.py")
    assert "error: there is no file" in capsys.readouterr().err
