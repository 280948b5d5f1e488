"""Own servers: a user's tasks and clocks are simulated, and none of the bodies is run."""

import sys
from pathlib import Path

import pytest

from cerebro.simulator.__main__ import main
from cerebro.simulator.campaign import replay_command
from cerebro.simulator.own_servers import declared_by
from cli.run_dyna import Terminal
from cordyna_core.errors import NotFound, UserError

SERVER = """
from cordyna_core import TaskServer
server = TaskServer("{name}")

{tasks}
"""
BODY = 'raise AssertionError("no body is run")'


def a_server(folder: Path, name: str, **upstreams: list[str]) -> str:
    tasks = "\n".join(
        f"@server.task(upstream={upstream})\ndef {task}():\n    {BODY}\n"
        for task, upstream in upstreams.items()
    )
    file = folder / f"{name}.py"
    file.write_text(SERVER.format(name=name, tasks=tasks))
    return str(file)


def run_simulator(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["simulator", *arguments])
    return main()


def test_own_servers_are_simulated_without_running_bodies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, reports = (
        a_server(tmp_path, "shop", orders=[], stock=[]),
        a_server(tmp_path, "reports", digest=["orders", "stock"]),
    )
    servers = ("--server", shop, "--server", reports)
    for seed in range(10):
        assert run_simulator(monkeypatch, *servers, "--seed", str(seed)) == 0
    # Which tasks a world invokes, and whether it rejects them, is drawn.
    traces = capsys.readouterr().out
    assert "digest attempt 1" in traces
    assert "orders attempt 1" in traces
    assert run_simulator(monkeypatch, *servers, "--seeds", "20") == 0
    assert "20 seeds" in capsys.readouterr().out


def test_report_begins_on_a_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, the line that counts seeds is above it."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)

    server = a_server(tmp_path, "shop", orders=[])
    assert run_simulator(monkeypatch, "--server", server, "--seeds", "2") == 0

    progress, report = screen.getvalue().split("\n")[:2]
    assert progress.endswith("2 seeds, 0 broken")
    assert report.startswith("2 seeds, ")


def test_broken_world_of_own_servers_prints_replay_command() -> None:
    assert (
        replay_command(7, ["a.py", "b.c"])
        == "python -m cerebro.simulator --server a.py --server b.c --seed 7"
    )


def test_own_servers_with_rejected_graph_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="tasks need each other"):
        declared_by([a_server(tmp_path, "shop", orders=["stock"], stock=["orders"])])


def test_own_servers_with_unknown_upstream_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'stock' is declared by none"):
        declared_by([a_server(tmp_path, "shop", orders=["stock"])])


def test_own_server_file_missing_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotFound):
        declared_by(["nowhere.py"])
    with pytest.raises(SystemExit, match="2"):
        run_simulator(monkeypatch, "--server", "nowhere.py")
    assert "error: there is no file" in capsys.readouterr().err


def test_own_params_of_any_type_break_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sales.py"
    file.write_text(
        "from typing import Literal\n"
        "from cordyna_core import TaskServer\n"
        'server = TaskServer("sales")\n'
        "@server.task\n"
        "def orders(day: str, limit: int, kind: Literal['x', 'y'] = 'x'): ...\n"
        '@server.task(upstream=["orders"])\n'
        "def summary(day: str, share: float = 0.5): ...\n"
    )
    assert run_simulator(monkeypatch, "--server", str(file), "--seeds", "60") == 0
