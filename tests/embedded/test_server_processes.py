"""Servers in processes of their own: loading, reloading, options, and what does not load."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.engine import spec_of
from cerebro.embedded.storage.home import MemoryHome
from cordyna_cli.engine import Invoked
from cordyna_core.contract.commands import CancelRun, InvokeTask
from world.command_line import Folder, end, until

SERVER = """
import os, sys, time
from pathlib import Path
from cordyna_core import Context, TaskServer

server = TaskServer("shop", concurrency=2)

@server.task
def where() -> dict:
    return {"cwd": os.getcwd(), "setting": os.environ.get("SETTING"), "python": sys.executable}

@server.task
def wait(*, ctx: Context) -> str:
    Path("began").touch()
    while not ctx.cancelled:
        time.sleep(0.02)
    print("stopping")
    Path("cleaned-up").touch()
    return "stopped"

@server.task
def ok() -> str:
    return "ok"
"""

NEEDS = """
from cordyna_core import TaskServer
server = TaskServer("other")
server.task(name="both", upstream=["ok"])(lambda: None)
server.task(name="alone")(lambda: 1)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, "shop.py", SERVER)


def servers(folder: Folder, *names: str) -> dict[str, dict[str, Any]]:
    targets = [word for name in names for word in ("--server", name)]
    listed = json.loads(folder.bare(*targets, "servers", "--json").stdout)
    return {server["server"]: server for server in listed}


# --- what does not load -----------------------------------------------------------------------
def test_server_that_does_not_load_is_shown_with_its_error(folder: Folder) -> None:
    (folder.path / "broken.py").write_text("import no_such_module")

    result = folder.bare("--server", "shop.py", "--server", "broken.py", "servers")

    assert result.returncode == 0
    assert "failed to load" in result.stdout
    assert "no_such_module" in result.stdout + result.stderr
    shown = servers(folder, "shop.py", "broken.py")
    assert shown["shop"]["state"] != "not_loaded"
    assert shown["broken.py"]["state"] == "not_loaded"


def test_doctor_has_one_next_step_for_a_broken_server(folder: Folder) -> None:
    (folder.path / "empty.py").write_text("")
    (folder.path / "broken.py").write_text("import no_such_module")

    servers(folder, "empty.py", "broken.py")

    targets = ("--server", "empty.py", "--server", "broken.py")
    found = json.loads(folder.bare(*targets, "doctor", "--json").stdout)

    broken = [one for one in found if one["state"] == "broken"]
    assert [one["next"] for one in broken] == [
        "fix it, then dyna servers",
        "fix it, then dyna servers",
    ]
    assert all("next:" not in one["told"] and "\n" not in one["told"] for one in broken)
    assert f"'no_such_module'; {folder.path}/broken.py:1" in broken[0]["told"]
    assert next_lines(folder.bare(*targets, "doctor")) == ["  next: fix it, then dyna servers"]
    alone = folder.bare("--server", "broken.py", "doctor")
    assert next_lines(alone) == ["  next: fix it, then dyna servers"]
    new_home = folder.bare("--home", str(folder.path / "new"), "doctor")
    assert next_lines(new_home) == ["  next: dyna --server my.py tasks"]


def next_lines(result: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("  next:")]


def test_server_that_stops_loading_keeps_its_declaration(folder: Folder) -> None:
    (folder.path / "other.py").write_text(NEEDS)
    both = ("--server", "shop.py", "--server", "other.py")
    assert folder.bare(*both, "do", "both").returncode == 0
    (folder.path / "shop.py").write_text("this is no Python")

    tasks = folder.bare(*both, "tasks")
    assert (tasks.returncode, "where" in tasks.stdout) == (0, True)
    refused = folder.bare(*both, "do", "both")
    assert refused.returncode == 1
    assert "shop.py" in refused.stderr
    assert "failed to load" in refused.stderr
    assert folder.bare(*both, "do", "alone").returncode == 0
    for command in ("runs", "show", "why", "timeline", "events", "logs", "replay"):
        assert folder.bare(*both, command).returncode == 0, command


def test_invoke_of_a_server_that_never_loaded_shows_its_error(folder: Folder) -> None:
    (folder.path / "shop.py").write_text("import no_such_module")

    refused = folder.dyna("do", "where")

    assert refused.returncode == 1
    assert "shop.py failed to load" in refused.stderr
    assert "no_such_module" in refused.stderr
    step = "next: fix it and save the file; then run the same command again"
    assert refused.stderr.count("next: ") == refused.stderr.count(step) == 1


@pytest.mark.parametrize("source", ["import os; os._exit(3)", "while True: pass"])
def test_import_that_never_answers_stops_nothing(folder: Folder, source: str) -> None:
    (folder.path / "bad.py").write_text(source)

    result = folder.bare("--server", "bad.py", "--server", "shop.py", "do", "ok", timeout_s=90)

    assert result.returncode == 0
    assert folder.bare("runs").returncode == 0


def test_unchanged_server_is_not_loaded_to_list_tasks(folder: Folder) -> None:
    counted = "open('loaded', 'a').write('x')\n" + SERVER
    (folder.path / "shop.py").write_text(counted)
    for _ in range(3):
        assert folder.dyna("tasks").returncode == 0
    assert (folder.path / "loaded").read_text() == "x"

    (folder.path / "shop.py").write_text(counted + "server.task(name='new')(lambda: 1)\n")
    assert "new" in folder.dyna("tasks").stdout
    assert (folder.path / "loaded").read_text() == "xx"


# --- options ----------------------------------------------------------------------------------
def test_options_of_an_entry_are_used(folder: Folder) -> None:
    (folder.path / "sub").mkdir()
    (folder.path / "pyproject.toml").write_text(
        "[tool.cordyna]\n"
        f'servers = [{{target = "shop.py", cwd = "sub", python = "{sys.executable}",'
        ' env = {SETTING = "on"}, concurrency = 1}]\n'
    )

    run = json.loads(folder.bare("do", "where", "--json").stdout)

    assert run["tasks"][0]["output"] == {
        "cwd": str(folder.path / "sub"),
        "setting": "on",
        "python": sys.executable,
    }


SHELL = """\
printf '{"detail-type":"ServerDeclared","detail":'
printf '{"server":"shell","tasks":[{"name":"greet"}]}}\\n'
while read -r line; do
  case $line in *'"RunTask"'*) ;; *) continue ;; esac
  id=$(printf '%s' "$line" | sed 's/.*"run_id":"\\([^"]*\\)".*/\\1/')
  echo "a line of output"
  printf '{"detail-type":"TaskStateChanged","detail":{"run_id":"%s",' "$id"
  printf '"task":"greet","attempt":1,'
  printf '"state":"completed","output":"hello"}}\\n'
done
"""


def test_server_in_another_language_runs_its_tasks(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "server.sh", SHELL)
    folder.server = "exec:sh server.sh"

    run = folder.do("greet")

    assert (run["state"], run["tasks"][0]["output"]) == ("completed", "hello")
    assert folder.logs() == ["a line of output"]


def test_in_process_runs_tasks_in_threads_of_dyna(folder: Folder) -> None:
    run = json.loads(folder.dyna("do", "where", "--in-process", "--json").stdout)

    assert run["tasks"][0]["output"]["python"] == sys.executable
    assert run["tasks"][0]["state"] == "completed"


def test_level_of_a_module_is_its_own_in_process(tmp_path: Path) -> None:
    source = """
import logging
from cordyna_core import TaskServer
logging.getLogger().setLevel(logging.WARNING)
server = TaskServer("quiet")

@server.task
def speaks():
    logging.getLogger("a.module").info("not kept")
    logging.getLogger("a.module").warning("kept")
"""
    folder = Folder(tmp_path, "quiet.py", source)
    for options in ((), ("--in-process",)):
        assert folder.dyna("do", "speaks", "--new", *options).returncode == 0
        assert folder.logs() == ["WARNING kept"]


def test_body_that_holds_the_interpreter_delays_no_other(folder: Folder) -> None:
    (folder.path / "hog.py").write_text(
        "import re\n"
        "from cordyna_core import TaskServer\n"
        'server = TaskServer("hog")\n'
        'server.task(name="hog", run_timeout_s=20)(lambda: bool(re.match("(a+)+b", "a" * 60)))\n'
    )
    targets = [str(folder.path / name) for name in ("hog.py", "shop.py")]
    with EmbeddedEngine(
        MemoryHome(), specs={target: spec_of(target) for target in targets}
    ) as engine:
        hog = engine.invoke(InvokeTask(task="hog"), detached=True)
        quick = engine.invoke(InvokeTask(task="ok"))
        assert isinstance(hog, Invoked)
        assert isinstance(quick, Invoked)
        *_, view = engine.follow(quick.run_id, timeout_s=15)
        assert view.state == "completed"
        assert engine.run(hog.run_id).state == "running"
        assert engine.command(CancelRun(run_id=hog.run_id)) is None


def test_output_of_an_attempt_is_capped(folder: Folder) -> None:
    (folder.path / "shop.py").write_text(
        "from cordyna_core import TaskServer\n"
        'server = TaskServer("shop")\n'
        "@server.task\n"
        "def prints() -> None:\n"
        "    for n in range(30_000):\n"
        '        print(n, "x" * 1000)\n'
    )
    assert folder.do("prints")["state"] == "completed"

    log = folder.logs()
    assert log[0].startswith("0 x")
    assert log[-1].startswith("29999 x")
    assert 8_000_000 < sum(map(len, log)) < 12_000_000
    assert sum(path.stat().st_size for path in folder.home.iterdir()) < 30_000_000


# --- cancellation -----------------------------------------------------------------------------
def test_cancelled_body_gets_its_grace_before_dyna_ends(folder: Folder) -> None:
    process = folder.start("do", "wait")
    until((folder.path / "began").exists)
    run_id = json.loads(folder.bare("runs", "--json").stdout)[0]["run_id"]

    assert folder.bare("cancel", run_id).returncode == 0

    process.communicate(timeout=60)
    assert (folder.path / "cleaned-up").exists()
    assert folder.logs(run_id) == ["stopping"]


def test_ctrl_c_gives_bodies_a_moment_and_keeps_the_run(folder: Folder) -> None:
    (folder.path / "shop.py").write_text(
        "import time\n"
        "from pathlib import Path\n"
        "from cordyna_core import TaskServer\n"
        'server = TaskServer("shop")\n'
        "@server.task\n"
        "def nap() -> str:\n"
        '    first = not Path("began").exists()\n'
        '    Path("began").touch()\n'
        "    try:\n"
        "        time.sleep(60 if first else 0)\n"
        "    finally:\n"
        '        Path("cleaned-up").touch()\n'
        '    return "rested"\n'
    )
    process = folder.start("do", "nap")
    until((folder.path / "began").exists)

    end(process, signal.SIGINT)

    assert (folder.path / "cleaned-up").exists()
    again = folder.do("nap")
    assert (again["state"], again["tasks"][0]["attempt"]) == ("completed", 1)
    assert len(json.loads(folder.bare("runs", "--json").stdout)) == 1


# --- reload -----------------------------------------------------------------------------------
def dev(folder: Folder, do: Callable[[], None]) -> str:
    process = folder.start("dev", "--no-page")
    try:
        until(lambda: "where" in folder.bare("tasks").stdout)
        do()
    finally:
        output = end(process)
    return output


def test_changed_file_is_loaded_again(folder: Folder) -> None:
    def change() -> None:
        (folder.path / "shop.py").write_text(
            SERVER + "\n@server.task\ndef added() -> int:\n    return 7\n"
        )
        until(lambda: "added" in folder.bare("tasks").stdout)
        assert json.loads(folder.bare("do", "added", "--json").stdout)["tasks"][0]["output"] == 7

    dev(folder, change)


def test_broken_change_keeps_the_last_good_server(folder: Folder) -> None:
    def change() -> None:
        (folder.path / "shop.py").write_text("this is no Python")
        until(lambda: "not_loaded" in folder.bare("events", "--all", "--json").stdout)
        assert json.loads(folder.bare("do", "ok", "--json").stdout)["state"] == "completed"
        shown = servers(folder)["shop"]
        assert shown["state"] == "ready"
        assert "shop.py" in shown["problem"]

    dev(folder, change)


def test_body_that_changed_directory_does_not_prevent_reload(folder: Folder) -> None:
    (folder.path / "shop.py").write_text(
        SERVER + "\n@server.task\ndef goes() -> None:\n    os.chdir('/')\n"
    )

    def change() -> None:
        assert json.loads(folder.bare("do", "goes", "--json").stdout)["state"] == "completed"
        (folder.path / "shop.py").write_text(SERVER + "\n@server.task\ndef later() -> None: ...\n")
        until(lambda: "later" in folder.bare("tasks").stdout)

    dev(folder, change)


# --- the wall clock ---------------------------------------------------------------------------
@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_clock_jump_makes_no_waiting_command_stale(folder: Folder, jump: float) -> None:
    (folder.path / "slow.py").write_text(
        "import time\n"
        "from cordyna_core import TaskServer\n"
        'server = TaskServer("slow", concurrency=1)\n'
        "for n in range(4):\n"
        '    server.task(name=f"n{n}")(lambda: time.sleep(0.3))\n'
        'server.task(name="all", upstream=[f"n{n}" for n in range(4)])(lambda: None)\n'
    )
    offset = [0.0]
    target = str(folder.path / "slow.py")
    with EmbeddedEngine(
        MemoryHome(), specs={target: spec_of(target)}, clock=lambda: time.time() + offset[0]
    ) as engine:
        invoked = engine.invoke(InvokeTask(task="all"))
        assert isinstance(invoked, Invoked)
        offset[0] = jump
        *_, view = engine.follow(invoked.run_id, timeout_s=30)

    assert view.state == "completed"


# --- what is busy -----------------------------------------------------------------------------
def test_servers_show_how_busy_they_are_and_how_bodies_start(folder: Folder) -> None:
    def change() -> None:
        run_id = folder.bare("do", "wait", "--detach").stdout.strip()
        until(lambda: servers(folder)["shop"]["running"] == 1)
        shown = servers(folder)["shop"]
        assert (shown["concurrency"], shown["waiting"]) == (2, 0)
        assert shown["mode"] in ("fork", "spawn")
        assert folder.bare("cancel", run_id).returncode == 0

    dev(folder, change)
    assert servers(folder)["shop"]["running"] is None
