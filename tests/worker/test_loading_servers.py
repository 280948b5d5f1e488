"""Servers that load, fail to load, and load again."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cordyna_core.worker.pool.events import Busy, Declared, LoadFailed
from cordyna_core.worker.spec import ServerSpec
from worker.running import FAST, SERVERS, Session, a_session, read_when_there

BODIES = str(SERVERS / "bodies.py")


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with a_session() as found:
        assert isinstance(found.load(BODIES), Declared)
        yield found


def test_server_that_raises_at_import_fails_to_load(session: Session) -> None:
    failed = session.load(str(SERVERS / "broken.py"))

    assert isinstance(failed, LoadFailed)
    assert "RuntimeError: the database is not there" in failed.error
    assert not failed.still_serving


def test_import_error_of_any_length_has_its_next_step(tmp_path: Path) -> None:
    file = tmp_path / "long.py"
    file.write_text("raise ValueError('y' * 3_000_000)")
    with a_session() as session:
        failed = session.load(str(file))

    assert isinstance(failed, LoadFailed)
    assert len(failed.error) < 5000
    assert "ValueError: yyy" in failed.error
    assert failed.error.endswith("next: fix it and save the file")


def test_server_that_exits_at_import_fails_to_load(session: Session) -> None:
    failed = session.load(str(SERVERS / "dies_at_import.py"))

    assert isinstance(failed, LoadFailed)
    assert "exit code 3" in failed.error
    assert "last words" in failed.error


def test_server_that_does_not_declare_in_time_fails(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ntime.sleep(600)\n")
    with a_session(FAST._replace(load_timeout_s=0.2)) as session:
        failed = session.load(str(slow))

        assert isinstance(failed, LoadFailed)
        assert "no ServerDeclared within 0.2 s" in failed.error


def test_load_that_another_one_replaces_does_not_fail(tmp_path: Path) -> None:
    """Its file is saved again while it loads: the first process is killed, and is no failure."""
    file = tmp_path / "bodies.py"
    file.write_text("import time\ntime.sleep(600)\n")
    with a_session() as session:
        session.pool.start([ServerSpec(str(file))])
        file.write_text(Path(BODIES).read_text())
        answer = session.load(str(file))

    assert isinstance(answer, Declared), answer


def test_command_of_a_server_that_failed_is_not_started(session: Session) -> None:
    session.load(str(SERVERS / "broken.py"))

    assert session.do("noop", server="broken").outcome == "not_loaded"


def test_command_of_a_server_that_loads_no_more_is_not_started(tmp_path: Path) -> None:
    """It had been loaded; its template died, and its dependency is gone."""
    file, dependency = tmp_path / "bodies.py", tmp_path / "dependency"
    dependency.touch()
    file.write_text(f"open({str(dependency)!r})\n{Path(BODIES).read_text()}")
    with a_session(FAST._replace(restart_min_s=0.05)) as session:
        assert isinstance(session.load(str(file)), Declared)
        dependency.unlink()
        session.pool.request_busy()
        os.kill(session.wait_for(Busy).servers[0].pids[0], signal.SIGKILL)
        session.do("noop")  # It may end with the template.

        assert session.do("noop").outcome == "not_loaded"


def test_two_targets_with_one_server_name_are_refused(session: Session, tmp_path: Path) -> None:
    copy = tmp_path / "copy.py"
    copy.write_text(Path(BODIES).read_text())
    failed = session.load(str(copy))

    assert isinstance(failed, LoadFailed)
    assert f'server "bodies" is run by {BODIES} already' in failed.error
    assert session.do("noop").final["state"] == "completed"


def _once_there(marker: Path) -> str:
    """The beginning of a module that loads once a file is there."""
    return f"import os, time\nwhile not os.path.exists({str(marker)!r}):\n    time.sleep(0.01)\n"


def test_target_that_is_started_first_gets_the_name(tmp_path: Path) -> None:
    first, second, may_load = (tmp_path / name for name in ("first.py", "second.py", "may-load"))
    first.write_text(_once_there(may_load) + Path(BODIES).read_text())
    second.write_text(Path(BODIES).read_text())
    with a_session() as session:
        session.pool.start([ServerSpec(str(first)), ServerSpec(str(second))])
        assert session.wait_for(Declared).target == str(second)
        may_load.touch()

        refused, declared = session.wait_for(LoadFailed), session.wait_for(Declared)

        assert (refused.target, refused.still_serving) == (str(second), False)
        assert f'server "bodies" is run by {first} already' in refused.error
        assert declared.target == str(first)
        assert session.do("noop").final["state"] == "completed"


def test_server_that_ran_a_command_keeps_its_name(tmp_path: Path) -> None:
    first, may_load = tmp_path / "first.py", tmp_path / "may-load"
    first.write_text(_once_there(may_load) + Path(BODIES).read_text())
    with a_session() as session:
        session.pool.start([ServerSpec(str(first)), ServerSpec(BODIES)])
        assert session.wait_for(Declared).target == BODIES
        session.do("noop")
        may_load.touch()

        assert session.wait_for(LoadFailed).target == str(first)
        assert session.do("noop").final["state"] == "completed"


def test_server_with_a_thread_is_spawned(session: Session) -> None:
    declared = session.load(str(SERVERS / "threaded.py"))

    assert isinstance(declared, Declared)
    assert declared.mode == "spawn"
    assert "poller" in declared.mode_reason
    attempt = session.do("pid", server="threaded")
    assert attempt.output("stdout") == "hello from a spawned body\n"
    assert attempt.final["state"] == "completed"


def test_spawned_server_runs_tasks_side_by_side(session: Session, tmp_path: Path) -> None:
    env = (("BODIES_NAME", "spawned"),)
    session.load(f"{BODIES}:server", isolation="spawn", env=env)
    markers = [tmp_path / str(number) for number in range(3)]
    commands = [
        session.begin("wait-for-cancel", server="spawned", marker=str(marker)) for marker in markers
    ]
    for marker in markers:
        read_when_there(marker)
    for command in commands:
        session.cancel(command, grace_s=60)

    assert [session.end(command).final["output"] for command in commands] == ["saw it"] * 3


def test_reload_that_fails_keeps_the_old_one(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "changing.py"
    text = 'from cordyna_core import TaskServer\nserver = TaskServer("c")\n@server.task\n'
    target.write_text(f"{text}def value(): return 1\n")
    session.load(str(target))
    target.write_text("raise ValueError('typo')\n")
    session.pool.reload(str(target))

    failed = session.wait_for(LoadFailed)
    assert failed.still_serving
    assert session.do("value", server="c").final["output"] == 1
    target.write_text(f"{text}def value(): return 'new'\n")
    session.pool.reload(str(target))
    assert session.wait_for(Declared).generation == 3
    assert session.do("value", server="c").final["output"] == "new"


def test_reload_lets_running_attempts_end(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = session.begin("wait-for-cancel", marker=str(marker))
    read_when_there(marker)
    session.pool.reload(BODIES)
    session.wait_for(Declared)
    session.do("noop")
    session.cancel(command, grace_s=60)

    assert session.end(command).final["output"] == "saw it"


def test_declaration_that_is_too_large_says_so(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "large.py"
    file.write_text(
        "from cordyna_core import TaskServer\nserver = TaskServer('large')\n"
        "for n in range(600):\n"
        "    server.task(name=f't{n}', description='x' * 1900)(lambda: 1)\n"
    )

    failed = session.load(str(file))

    assert isinstance(failed, LoadFailed)
    assert failed.error.startswith("the declaration of large has 1,1")
    assert failed.error.endswith(
        "next: shorten its descriptions and schemas, or split it into two servers"
    )


LARGE = """
import sys
print('{"detail-type":"ServerDeclared","detail":{"server":"x","about":"%s"}}' % ("y" * 1_100_000))
sys.stdin.read()
"""


def test_first_frame_that_cannot_be_read_ends_the_load(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "large.py"
    file.write_text(LARGE)

    failed = session.load(f"exec:{sys.executable} {file}")

    assert isinstance(failed, LoadFailed)
    assert "its first frame cannot be read: longer than 1 MB" in failed.error
