"""A server whose import ends the host of all servers is given up, and no other one."""

import os
import signal
from pathlib import Path

from cordyna_core.worker.pool.events import Declared, HostLost, LoadFailed, Ready
from cordyna_core.worker.pool.load_watch import HOSTS_LOST_MAX, LoadWatch
from cordyna_core.worker.spec import ServerSpec
from worker.running import FAST, a_session

SERVER = """
from cordyna_core import TaskServer
server = TaskServer({name!r})
server.task(name="noop")(lambda: "done")
"""
ENDS_THE_HOST = "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(30)\n"


def test_import_that_kills_the_host_is_given_up_alone(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(SERVER.format(name="good"))
    bad.write_text(ENDS_THE_HOST + SERVER.format(name="bad"))
    with a_session(FAST._replace(restart_min_s=0.01)) as session:
        session.pool.start([ServerSpec(str(bad)), ServerSpec(str(good))])

        failure = session.wait_for(LoadFailed)

        assert failure.target == str(bad)
        assert failure.error.startswith("the host of all servers ended 3 times while ")
        assert sum(isinstance(event, HostLost) for event in session.events) <= HOSTS_LOST_MAX + 1
        session.wait(lambda event: isinstance(event, Declared) and event.server == "good")
        assert session.do("noop", server="good").final["output"] == "done"
        bad.write_text(SERVER.format(name="bad"))
        session.pool.reload(str(bad))
        session.wait(lambda event: isinstance(event, Declared) and event.server == "bad")


def test_command_waits_for_a_server_that_is_loaded_later(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists():\n"
    targets = {name: tmp_path / f"{name}.py" for name in ("one", "other")}
    for name, target in targets.items():
        target.write_text(f"{wait}    time.sleep(0.01)\n{SERVER.format(name=name)}")
    with a_session(FAST._replace(restart_min_s=0.01)) as session:
        session.pool.start([ServerSpec(str(target)) for target in targets.values()])
        session.wait_for(Ready)
        os.kill(session.pool.host_pid, signal.SIGKILL)
        session.wait_for(HostLost)

        command = session.begin("noop", server="other")
        gate.touch()

        assert session.end(command).final["output"] == "done"


def declared(target: str) -> Declared:
    return Declared(
        target=target,
        server=target,
        detail={},
        mode="fork",
        mode_reason="",
        concurrency=1,
        generation=1,
    )


def test_suspects_are_loaded_alone_until_they_answer() -> None:
    watch = LoadWatch()
    for target in ("good", "bad"):
        watch.begin(target)
    assert watch.blame("gone") == []

    assert watch.begin_all(["good", "bad", "new"]) == ["new"]
    watch.begin("new")
    assert watch.next_alone() is None, "another is loaded"
    watch.observe(declared("new"))
    assert watch.next_alone() == "good"
    watch.begin("good")
    watch.observe(declared("good"))
    assert watch.next_alone() == "bad"
    assert watch.next_alone() is None

    for _ in range(HOSTS_LOST_MAX - 1):
        watch.begin("bad")
        failures = watch.blame("gone")
    assert [failure.target for failure in failures] == ["bad"]
    assert (watch.begin_all(["good", "bad"]), watch.is_given_up("bad")) == (["good"], True)
    watch.allow(["bad"])
    assert (watch.begin_all(["bad"]), watch.is_given_up("bad")) == (["bad"], False)


def test_load_that_began_without_a_host_delays_no_other_one() -> None:
    """A host was lost before it was ready, so the next one is started later."""
    watch = LoadWatch()
    watch.begin("one")
    watch.begin("other")
    watch.blame("gone")
    watch.begin_all(["one", "other"])
    alone = watch.next_alone()
    assert alone is not None
    watch.begin(alone)
    watch.blame("gone before it was ready")
    for target in ("one", "other"):
        watch.begin(target)

    assert watch.begin_all(["one", "other"]) == []
    for _ in range(2):
        alone = watch.next_alone()
        assert alone is not None
        watch.begin(alone)
        watch.observe(declared(alone))


def test_server_that_was_declared_is_not_blamed_for_a_lost_host() -> None:
    watch = LoadWatch()
    for _ in range(HOSTS_LOST_MAX + 1):
        watch.begin("good")
        watch.observe(declared("good"))
        assert watch.blame("killed") == []
