"""Sessions: several processes on one home, of which at most one drives."""

import re
import threading
from collections import deque
from pathlib import Path

import pytest

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import DiskHome
from cerebro.embedded.storage.targets import TargetState
from cordyna_cli.engine import Invoked, Refused
from cordyna_core import TaskServer
from cordyna_core.contract.commands import CancelRun, InvokeTask
from cordyna_core.errors import ServiceError, UserError
from world.two_servers import finished, two_servers


def test_second_session_waits_and_drives_when_lease_is_free(
    tmp_path: Path,
) -> None:
    with (
        EmbeddedEngine(DiskHome(tmp_path), two_servers()) as driver,
        EmbeddedEngine(DiskHome(tmp_path), two_servers()) as watcher,
    ):
        finished(driver, "x")
        assert driver.drives
        assert not watcher.drives

        run = finished(watcher, "y")
        assert run.state == "completed"
        assert driver.run(run.run_id) == run

        driver.close()
        assert finished(watcher, "y", times=9).state == "completed"
        assert watcher.drives


def test_reading_a_home_starts_no_task(tmp_path: Path) -> None:
    hold, held = threading.Event(), threading.Event()
    server = TaskServer("s")

    @server.task(name="long")
    def long() -> None:
        held.set()
        hold.wait(20)

    with EmbeddedEngine(DiskHome(tmp_path), [server]) as engine:
        taken = engine.invoke(InvokeTask(task="long"))
        assert isinstance(taken, Invoked)
        assert held.wait(10)
        held.clear()
    hold.set()

    with EmbeddedEngine(DiskHome(tmp_path), [server]) as engine:
        assert engine.run(taken.run_id).state == "running"
        assert [task.task for task in engine.tasks()] == ["long"]
        assert not held.is_set()
        *_, view = engine.follow(taken.run_id)

    assert view.state == "completed"
    assert held.is_set()


def test_server_after_close_is_shown_as_stopped(tmp_path: Path) -> None:
    with EmbeddedEngine(DiskHome(tmp_path), two_servers()) as engine:
        finished(engine, "x")
        assert {each.state for each in engine.servers()} == {"ready"}

    with EmbeddedEngine(DiskHome(tmp_path), two_servers()) as engine:
        assert {each.state for each in engine.servers()} == {"stopped"}


def test_invoke_without_driver_or_server_is_refused(tmp_path: Path) -> None:
    with (
        EmbeddedEngine(DiskHome(tmp_path), []) as engine,
        pytest.raises(UserError, match="no task server is named") as refused,
    ):
        engine.invoke(InvokeTask(task="x"))
    assert "[tool.cordyna]" in refused.value.next
    assert "`dyna init`" in refused.value.next


def test_doctor_names_the_driver_without_fractions(tmp_path: Path) -> None:
    with EmbeddedEngine(DiskHome(tmp_path), two_servers()) as engine:
        finished(engine, "x")
        (driver,) = [item for item in engine.operations.examine() if item.what == "driver"]
    assert re.search(r" since \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, for one, two$", driver.detail)


def test_invoke_after_killed_wait_joins_the_same_run(
    tmp_path: Path,
) -> None:
    killed = EmbeddedEngine(DiskHome(tmp_path), two_servers())
    with killed as engine:
        run = finished(engine, "y")
        killed._client._awaited.clear()  # A killed process removes no waiter.

    with EmbeddedEngine(DiskHome(tmp_path), two_servers()) as engine:
        again = engine.invoke(InvokeTask(task="y"), join=True)
        assert again == Invoked(run.run_id, joined=True)

    with EmbeddedEngine(DiskHome(tmp_path), two_servers()) as engine:
        another = engine.invoke(InvokeTask(task="y"), join=True)
        assert isinstance(another, Invoked)
        assert another.run_id != run.run_id


def test_unanswered_command_is_withdrawn(tmp_path: Path) -> None:
    with (
        EmbeddedEngine(DiskHome(tmp_path), two_servers()) as idle,
        EmbeddedEngine(DiskHome(tmp_path), two_servers()) as engine,
    ):
        idle.tasks()
        assert idle.drives  # It has the lease, but waits for nothing, so nothing runs.
        with pytest.raises(ServiceError, match="withdrawn"):
            engine.invoke(InvokeTask(task="x"), wait_s=0)

    with EmbeddedEngine(DiskHome(tmp_path), two_servers()) as engine:
        finished(engine, "y")
        assert [run.task for run in engine.runs()] == ["y"]


@pytest.mark.parametrize("was_loaded", [False, True])
def test_invoke_of_unserved_task_is_refused_naming_the_driver(
    tmp_path: Path, *, was_loaded: bool
) -> None:
    """Also if a driver before this one had loaded that server."""
    other, home = TaskServer("other"), DiskHome(tmp_path)
    other.task(name="mine")(lambda: None)
    with EmbeddedEngine(home, two_servers()) as driver:
        finished(driver, "x")
        if was_loaded:
            loaded = TargetState(
                target="other.py", server="other", fingerprint="", error=None, is_serving=True, at=0
            )
            with home.transaction():
                home.targets.write(loaded)
        with EmbeddedEngine(DiskHome(tmp_path), [other], targets=["other.py"]) as watcher:
            refused = watcher.invoke(InvokeTask(task="mine"))

    assert isinstance(refused, Refused)
    assert [problem.code for problem in refused.problems] == ["unknown_task", "driven_by_another"]


def test_refusal_names_what_failed_to_load_at_the_driver_once(tmp_path: Path) -> None:
    """The driver runs it, and it did not load: that is no matter of who drives."""
    servers, home = two_servers(), DiskHome(tmp_path)
    broken = TargetState(
        target="s.py", server=None, fingerprint="", error="no module", is_serving=False, at=0.0
    )
    with EmbeddedEngine(home, servers) as driver:
        finished(driver, "x")
        with home.transaction():
            home.targets.write(broken)
        with EmbeddedEngine(DiskHome(tmp_path), [servers[0]], targets=["s.py"]) as watcher:
            refused = watcher.invoke(InvokeTask(task="mine"))

    assert isinstance(refused, Refused)
    assert [problem.code for problem in refused.problems] == ["not_loaded", "unknown_task"]


def test_refusal_of_a_typo_does_not_name_the_driver(tmp_path: Path) -> None:
    servers = two_servers()
    with EmbeddedEngine(DiskHome(tmp_path), servers) as driver:
        finished(driver, "x")
        with EmbeddedEngine(DiskHome(tmp_path), servers, targets=["1.py", "2.py"]) as watcher:
            for target, server in zip(["1.py", "2.py"], servers, strict=True):
                watcher._home.targets.write(
                    TargetState(
                        target=target,
                        server=server.name,
                        fingerprint="",
                        error=None,
                        is_serving=True,
                        at=0.0,
                    )
                )
            refused = watcher.invoke(InvokeTask(task="typo"))

    assert isinstance(refused, Refused)
    assert [problem.code for problem in refused.problems] == ["unknown_task"]


def test_refusal_of_served_task_does_not_name_the_driver(tmp_path: Path) -> None:
    with EmbeddedEngine(DiskHome(tmp_path), two_servers()) as driver:
        completed = finished(driver, "x")
        with EmbeddedEngine(
            DiskHome(tmp_path), two_servers(), targets=["one.py", "two.py"]
        ) as watcher:
            refused = watcher.command(CancelRun(run_id=completed.run_id))

    assert isinstance(refused, Refused)
    assert [problem.code for problem in refused.problems] == ["run_completed"]


def test_closed_engine_is_not_driven_again_by_a_waiting_thread(tmp_path: Path) -> None:
    engine = EmbeddedEngine(DiskHome(tmp_path), two_servers())
    engine.tasks()
    passing = engine.dev()
    next(passing)
    engine.close()

    with pytest.raises(ServiceError, match="has been closed by this process"):
        deque(passing)

    assert not engine.drives
    assert DiskHome(tmp_path).take_lock()
