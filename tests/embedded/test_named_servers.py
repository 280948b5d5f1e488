"""The servers of a home are those that are named; one that does not load removes no other."""

from pathlib import Path

import pytest

from cerebro.core.graph.graph import Graph
from cerebro.embedded.runtime.cron_ticks import CronTicks
from world.command_line import DYNA, Folder
from world.declarations import declared

SHOP = """
from cordyna_core import TaskServer
server = TaskServer("shop")
server.task(name="sell")(lambda: 1)
"""
STOCK = """
from cordyna_core import TaskServer
server = TaskServer("stock")
server.task(name="count", cron="0 6 * * *")(lambda: 2)
"""
SHOP_THAT_SENDS = f"""
import subprocess
from cordyna_core import TaskServer
server = TaskServer("shop")
@server.task
def sell():
    subprocess.run([{DYNA!r}, "send", "event.jsonl"], check=True)
"""
BOTH = ("--server", "shop.py", "--server", "stock.py")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A home in which two servers are declared."""
    (tmp_path / "stock.py").write_text(STOCK)
    made = Folder(tmp_path, "shop.py", SHOP)
    assert made.bare(*BOTH, "do", "sell").returncode == 0
    return made


def tasks(folder: Folder) -> list[str]:
    return sorted(line.split()[0] for line in folder.bare("tasks").stdout.splitlines()[1:])


@pytest.mark.parametrize("command", [("do", "sell"), ("tasks",)])
def test_server_that_is_not_named_is_removed_with_a_note(
    folder: Folder, command: tuple[str, ...]
) -> None:
    result = folder.dyna(*command)

    assert result.returncode == 0
    assert "no longer declared: stock, because only shop.py was named" in result.stderr
    assert tasks(folder) == ["sell"]
    assert "no longer declared" not in folder.dyna("do", "sell").stderr


def test_server_that_is_renamed_is_removed_with_its_new_name(folder: Folder) -> None:
    (folder.path / "shop.py").write_text(SHOP.replace('"shop"', '"store"'))

    result = folder.bare(*BOTH, "do", "sell")

    assert result.returncode == 0
    assert "no longer declared: shop, because shop.py names it store now\n" in result.stderr
    assert "was named" not in result.stderr


def test_declaration_by_an_event_is_replaced_by_the_files(folder: Folder) -> None:
    nothing = '{"source": "cordyna.server.stock", "detail-type": "ServerDeclared", '
    nothing += '"detail": {"server": "stock", "revision": 5, "tasks": []}}'
    (folder.path / "event.jsonl").write_text(nothing)
    (folder.path / "shop.py").write_text(SHOP_THAT_SENDS)
    assert folder.bare(*BOTH, "do", "sell").returncode == 0
    assert tasks(folder) == ["sell"]

    assert folder.bare(*BOTH, "do", "count").returncode == 0
    assert tasks(folder) == ["count", "sell"]


def test_name_that_does_not_exist_removes_no_server(folder: Folder) -> None:
    refused = folder.bare("--server", "shopp.py", "do", "sell")

    assert refused.returncode == 1
    assert "shopp.py failed to load" in refused.stderr
    assert "no longer declared" not in refused.stderr
    assert tasks(folder) == ["count", "sell"]


def test_server_beside_a_missing_one_runs_and_removes_none(folder: Folder) -> None:
    misspelt = ("--server", "shopp.py", "--server", "stock.py")

    assert folder.bare(*misspelt, "do", "count").returncode == 0
    assert folder.bare(*misspelt, "do", "sell").returncode == 1
    assert tasks(folder) == ["count", "sell"]
    assert folder.bare("--server", "stock.py", "do", "count").returncode == 0
    assert tasks(folder) == ["count"]


def test_server_that_stopped_loading_removes_no_other(folder: Folder) -> None:
    (folder.path / "shop.py").write_text("raise ImportError('edited')")

    assert folder.dyna("do", "sell").returncode == 1
    assert tasks(folder) == ["count", "sell"]


def test_do_of_a_server_that_did_not_load_joins_no_run(folder: Folder) -> None:
    assert folder.bare(*BOTH, "do", "sell", "--detach").returncode == 0
    (folder.path / "shop.py").write_text("raise ImportError('edited')")

    refused = folder.bare(*BOTH, "do", "sell", timeout_s=30)

    assert refused.returncode == 1
    assert "server shop (shop.py) failed to load" in refused.stderr


def test_command_of_a_server_that_no_longer_loads_is_answered(folder: Folder) -> None:
    """Its files are as before, so that it is known, and loads while the run begins."""
    (folder.path / "shop.py").write_text(f"open('dependency')\n{SHOP}")
    dependency = folder.path / "dependency"
    dependency.touch()
    assert folder.bare(*BOTH, "do", "sell").returncode == 0
    dependency.unlink()

    failed = folder.bare(*BOTH, "do", "sell", "--new", timeout_s=30)

    assert failed.returncode == 1
    assert "ServerNotLoaded: shop has no code to run" in failed.stdout
    assert "No such file or directory: 'dependency'" in failed.stdout
    assert "ack_timeout" not in failed.stdout


def test_do_joins_no_run_of_a_server_that_no_process_runs(folder: Folder) -> None:
    """The task is another server's now; the interrupted run waits for the first one."""
    interrupted = folder.bare(*BOTH, "do", "sell", "--detach").stdout.strip()
    (folder.path / "new.py").write_text(SHOP.replace('"shop"', '"new"'))

    joined = folder.bare("--server", "new.py", "do", "sell", timeout_s=30)

    assert joined.returncode == 0
    assert interrupted not in joined.stdout + joined.stderr


def test_cron_of_a_server_that_is_not_served_does_not_fire() -> None:
    ticks = CronTicks(serves=lambda server: server == "shop")
    graph = Graph.of({})
    for server in ("shop", "stock"):
        cron = declared(server, f"{server}.daily")
        timed = [task.model_copy(update={"cron": "0 6 * * *"}) for task in cron.tasks]
        graph = graph.with_servers(
            {**graph.declarations, server: cron.model_copy(update={"tasks": timed})}
        )

    ticks.apply(graph, 0.0)
    missed = list(ticks.start(10 * 86_400.0, lambda _: 0.0))

    assert missed != []
    assert all("shop.daily" in repr(message) for message in missed)
    assert ticks.next_due() is not None
    fired = ticks.pop_due(20 * 86_400.0)
    assert fired is not None
    assert fired.task == "shop.daily"


def test_server_that_fails_to_load_is_tried_once_by_a_command(folder: Folder) -> None:
    """Its import may do harm: to others, too."""
    (folder.path / "bad.py").write_text("open('imports', 'a').write('x')\nraise ValueError('no')\n")

    result = folder.bare("--server", folder.server, "--server", "bad.py", "do", "sell")

    assert result.returncode == 0, result.stderr
    assert (folder.path / "imports").read_text() == "x"
