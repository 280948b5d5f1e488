"""What a driver makes of the worker host: failures to start, malformed frames, source files."""

import json
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cerebro.core.internal_messages import PageTimer
from cerebro.embedded.bodies import worker_host
from cerebro.embedded.bodies.host_bodies import HostBodies
from cerebro.embedded.bodies.load_servers import load_servers
from cerebro.embedded.bodies.port import LoadFailure, ServerLoaded
from cerebro.embedded.bodies.worker_host import StartedServers, start_servers
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.engine import open_engine, spec_of
from cerebro.embedded.runtime.housekeeping import Housekeeping
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.source_files import fingerprint_of
from cerebro.embedded.storage.home import DiskHome, MemoryHome
from cerebro.embedded.storage.home_location import find_home
from cordyna_cli.engine import EngineOptions, Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source
from cordyna_core.contract.time import utc
from cordyna_core.errors import ServiceError, UserError
from cordyna_core.worker.spec import ServerSpec
from world.declarations import declared

NOW = 1_800_000_000.0

SHELL = "exec:sh -c 'cat \"$0\"; exec cat >/dev/null' "


def loaded(target: str, timeout_s: float = 20) -> ServerLoaded | LoadFailure:
    bodies = HostBodies({target: spec_of(target)}, None, lambda: NOW)
    (result,) = load_servers(bodies, [target], timeout_s)
    return result


def frame_file(folder: Path, detail: Any) -> str:
    path = folder / "frame"
    path.write_text(json.dumps({"detail-type": "ServerDeclared", "detail": detail}) + "\n")
    return SHELL + str(path)


# --- loading ----------------------------------------------------------------------------------
def test_declaration_of_any_language_is_loaded(tmp_path: Path) -> None:
    result = loaded(frame_file(tmp_path, {"server": "shell", "tasks": [{"name": "a"}]}))

    assert isinstance(result, ServerLoaded)
    assert (result.declaration.server, result.mode) == ("shell", "exec")


def test_malformed_declaration_is_a_load_failure(tmp_path: Path) -> None:
    result = loaded(frame_file(tmp_path, {"server": "shell", "tasks": [{"name": 1}]}))

    assert isinstance(result, LoadFailure)
    assert "its declaration is malformed" in result.error
    assert "tasks.0.name" in result.error


class RecordingPool:
    """Notes which servers it was asked to load."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def start(self, specs: Iterable[ServerSpec]) -> None:
        self.started += [spec.target for spec in specs]

    def remove(self, target: str) -> None:
        """It loads nothing, and has nothing to remove."""


def test_removed_early_server_is_loaded_when_it_comes_back() -> None:
    """It was started before the engine was imported, and removed before it was asked for."""
    pool: Any = RecordingPool()
    early = StartedServers(pool, frozenset({"a.py", "b.py"}))
    specs = {target: spec_of(target) for target in ("a.py", "b.py")}
    bodies = HostBodies(specs, None, lambda: NOW, early)
    bodies.start(lambda: None)

    bodies.remove("a.py")
    bodies.load(["a.py", "b.py"])

    assert pool.started == ["a.py"]


def test_server_that_does_not_answer_is_a_load_failure() -> None:
    result = loaded("exec:sleep 60", timeout_s=0.2)

    assert isinstance(result, LoadFailure)
    assert "within 0.2 s" in result.error


def test_host_that_cannot_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError("Too many open files")

    monkeypatch.setattr(worker_host, "WorkerPool", refuse)

    with pytest.raises(ServiceError, match="Too many open files"):
        start_servers([], None)


def test_servers_started_early_are_ended_if_the_home_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []
    close = StartedServers.close

    def noted(started: StartedServers) -> None:
        closed.append(True)
        close(started)

    monkeypatch.setattr(StartedServers, "close", noted)
    (tmp_path / "cordyna.db").write_bytes(b"this is no database" * 100)
    options = EngineOptions(servers=("exec:sleep 60",), home=str(tmp_path), runs_tasks=True)

    with pytest.raises(ServiceError, match="cannot be used"):
        open_engine(options)
    assert closed == [True]


def test_two_servers_of_one_name_in_process_are_refused(tmp_path: Path) -> None:
    (tmp_path / "twins.py").write_text(
        'from cordyna_core import TaskServer\none, two = TaskServer("same"), TaskServer("same")\n'
    )
    targets = tuple(f"{tmp_path / 'twins.py'}:{name}" for name in ("one", "two"))

    with pytest.raises(UserError, match="both named 'same'"):
        open_engine(EngineOptions(servers=targets, home=":memory:", in_process=True))


# --- source files -----------------------------------------------------------------------------
def test_fingerprint_changes_with_the_files(tmp_path: Path) -> None:
    path = tmp_path / "shop.py"
    path.write_text("X = 1")
    before = fingerprint_of(str(path))
    assert before == fingerprint_of(str(path))

    path.write_text("X = 22")
    assert fingerprint_of(str(path)) != before


def test_fingerprint_of_a_command_is_that_of_its_script(tmp_path: Path) -> None:
    script = tmp_path / "server.sh"
    script.write_text("exit 0")
    assert fingerprint_of(f"exec:sh {script}") != ""
    assert fingerprint_of("exec:true") == ""
    assert fingerprint_of("exec:sh 'unbalanced") == ""
    assert fingerprint_of("no_such_module_anywhere") == ""


def test_folder_that_cannot_be_read_has_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "is_dir", refuse)

    assert find_home(tmp_path) == tmp_path / ".cordyna"


# --- a damaged run ----------------------------------------------------------------------------
def test_sweep_checks_other_runs_beside_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = DiskHome(tmp_path)
    loop = MessageLoop(home, lambda: NOW, to_server=lambda command, event: None)
    with home.transaction():
        home._file.db.executemany(
            "insert into runs (id, version, status, plan_id, created_at, run)"
            " values (?, 1, 'running', 'p', 0, '{')",
            [("A" * 26,)],
        )
    loop.declare([seal(declared("s", "a"), server_source("s"), "declared", utc(NOW))])
    loop.put(seal(InvokeTask(task="a", key="k"), CLIENT, "e", utc(NOW)))
    loop.step()
    housekeeping = Housekeeping(home, loop, lambda plan: True)
    housekeeping._sweep_at = 0.0
    sent: list[PageTimer] = []
    monkeypatch.setattr(loop, "send_page_timer", sent.append)

    housekeeping.step()

    assert [timer.run_id for timer in sent] == [run_id_of("a", "k")]
    home.close()


def test_sweep_skips_what_another_engine_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    home = MemoryHome()
    loop = MessageLoop(home, lambda: NOW, to_server=lambda command, event: None)
    loop.declare([seal(declared("s", "a  b<-a"), server_source("s"), "declared", utc(NOW))])
    for task in "ab":
        loop.put(seal(InvokeTask(task=task, key="k"), CLIENT, task, utc(NOW)))
    loop.step()
    housekeeping = Housekeeping(home, loop, lambda plan: plan.size == 2)
    housekeeping._sweep_at = 0.0
    sent: list[PageTimer] = []
    monkeypatch.setattr(loop, "send_page_timer", sent.append)

    housekeeping.step()

    assert [timer.run_id for timer in sent] == [run_id_of("b", "k")]


def test_interrupted_run_is_found_beside_a_damaged_one(tmp_path: Path) -> None:
    server = TaskServer("s")
    server.task(name="a")(lambda: 1)
    home = DiskHome(tmp_path)
    with home.transaction():
        home._file.db.execute(
            "insert into runs (id, version, status, plan_id, created_at, run)"
            " values (?, 1, 'running', 'p', 0, '{')",
            ("A" * 26,),
        )
    with EmbeddedEngine(home, [server]) as engine:
        invoked = engine.invoke(InvokeTask(task="a"), join=True)
        assert isinstance(invoked, Invoked)
        assert not invoked.joined


def test_memory_home_has_no_driver_record_before_it_runs() -> None:
    with closing(MemoryHome()) as home:
        assert home.driver() is None
        assert home.prune_run("0" * 26) is False


def test_process_that_does_not_drive_ends_what_it_started(tmp_path: Path) -> None:
    """Its host had the lock of the bodies, for which the host of the driver waits.

    1. Two processes start their servers, as no other drives yet. 2. One drives. 3. The other one
    waits for a run, too; its servers are started again only when it drives itself.
    """
    target = frame_file(tmp_path, {"server": "shell", "tasks": [{"name": "a"}]})
    specs, lock = {target: spec_of(target)}, DiskHome(tmp_path / "home").bodies_lock
    early = [start_servers(specs.values(), lock) for _ in range(2)]
    first, second = (
        EmbeddedEngine(DiskHome(tmp_path / "home"), specs=specs, started=started)
        for started in early
    )
    with first, second:
        first.tasks()
        second.tasks()

        assert (first.drives, second.drives) == (True, False)
        assert [started.pool.host_pid == 0 for started in early] == [False, True]
        first.close()
        second.tasks()
        assert second.drives
