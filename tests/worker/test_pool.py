"""The pool with a Python server: loading, running, output, ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cordyna_core.worker.pool.events import (
    AttemptEnded,
    Declared,
    OutputCut,
    OutputLines,
    StateUpdate,
)
from worker.running import (
    SERVERS,
    Session,
    a_session,
    is_alive,
    key_of,
    read_when_there,
    wait_until_dead,
)

BODIES = str(SERVERS / "bodies.py")


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """One host for all tests that leave it as they found it."""
    with a_session() as found:
        assert isinstance(found.load(BODIES), Declared)
        yield found


@pytest.fixture(scope="module")
def single(session: Session) -> str:
    """The name of a server that runs one attempt at a time."""
    env = (("BODIES_NAME", "single"),)
    declared = session.load(f"{BODIES}:server", concurrency=1, env=env)
    assert isinstance(declared, Declared), declared
    return declared.server


def test_body_that_returns_completes(session: Session) -> None:
    attempt = session.do("noop")

    assert attempt.states == ["started", "completed"]
    assert attempt.final["output"] == 1
    assert attempt.outcome == "reused"


def test_clean_body_is_reused(session: Session) -> None:
    first, second = session.do("pid"), session.do("pid")

    assert first.final["output"] == second.final["output"]


def test_output_of_all_kinds_is_the_attempts(session: Session) -> None:
    attempt = session.do("everywhere")

    assert attempt.final["state"] == "completed", attempt.final
    assert attempt.output("stdout").splitlines() == [
        "a", "b", "from a subprocess", "from os.write", "from a fork", "bytes \\xff",
    ]  # fmt: skip
    assert attempt.output("log") == "INFO from ctx.log\n"
    first, header, error, place, *rest = attempt.output("stderr").splitlines()
    assert (first, header) == ("on stderr", "--- Logging error ---")
    assert error.startswith("TypeError: ")
    assert "in everywhere" in place, "where the call is, without the stack of the worker"
    assert [line.partition(":")[0] for line in rest] == ["Message", "Arguments"]
    assert attempt.outcome == "retired"  # dictConfig changed the process


def test_output_precedes_the_final_state(session: Session) -> None:
    command = session.begin("lines", n=1000)
    attempt = session.end(command)

    mine = [e for e in session.events if getattr(e, "key", None) == key_of(command)]
    finals = [i for i, e in enumerate(mine) if isinstance(e, StateUpdate) and e.is_final]
    last_output = max(i for i, e in enumerate(mine) if isinstance(e, OutputLines))
    assert last_output < finals[0]
    assert attempt.output("stdout") == "".join(f"line {n}\n" for n in range(1000))


def test_output_beyond_the_caps_keeps_head_and_tail(session: Session) -> None:
    command = session.begin("flood", mb=16)
    attempt = session.end(command)

    size = len(attempt.output("stdout"))
    assert 10 * 2**20 - 1024 <= size <= 10 * 2**20
    cut = [
        e.cut_bytes for e in session.events if isinstance(e, OutputCut) and e.key == key_of(command)
    ]
    assert cut[-1] + size == 16 * 2**20


def test_run_clock_stops_the_body(session: Session, tmp_path: Path) -> None:
    attempt = session.do("wait-forever", marker=str(tmp_path / "marker"), timeout_s=0.2)

    assert attempt.final["reason"] == "run_timeout"
    assert attempt.final["error"]["type"] == "RunTimeout"
    assert attempt.outcome == "run_timeout"


def test_body_that_ignores_sigterm_is_killed(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = session.begin("stubborn", marker=str(marker))
    body, daemon = map(int, read_when_there(marker).split())
    session.cancel(command, grace_s=0.01)

    assert session.end(command).final["reason"] == "cancelled"
    assert not is_alive(body)
    wait_until_dead(daemon)


def test_cancel_is_seen_by_the_body(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = session.begin("wait-for-cancel", marker=str(marker))
    read_when_there(marker)

    session.cancel(command, grace_s=60)

    attempt = session.end(command)
    assert attempt.final["output"] == "saw it"


def test_cancel_after_its_grace_stops_the_body(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = session.begin("wait-forever", marker=str(marker))
    read_when_there(marker)

    session.cancel(command, grace_s=0.05)

    attempt = session.end(command)
    assert attempt.final["reason"] == "cancelled"
    assert attempt.final["error"]["retryable"] is False
    assert attempt.output("stdout") == "waiting\ncleaned up\n"
    assert not is_alive(int(marker.read_text()))


def test_process_that_keeps_output_open_is_ended(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    attempt = session.do("leaves-a-writer", marker=str(marker))

    assert attempt.final["output"] == "done"
    assert "kept its output open for 0.1 s" in attempt.output("stderr")
    wait_until_dead(int(marker.read_text()))


def test_next_attempt_waits_for_the_end_of_the_last(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    first = session.begin("stubborn", marker=str(marker))
    body = int(read_when_there(marker).split()[0])
    session.cancel(first, grace_s=0.01)
    next_marker = tmp_path / "next"
    second = session.begin("stubborn", marker=str(next_marker), run_id=first.run_id, attempt=2)
    session.wait(
        lambda event: (
            isinstance(event, StateUpdate)
            and event.key == key_of(second)
            and event.message.state == "started"
        )
    )

    assert not is_alive(body)
    assert AttemptEnded in {
        type(e) for e in session.events if getattr(e, "key", 0) == key_of(first)
    }
    session.cancel(second, grace_s=0.01)
    session.end(second)


def test_command_beyond_concurrency_is_queued(
    session: Session, single: str, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    first = session.begin("wait-for-cancel", server=single, marker=str(marker))
    second = session.begin("noop", server=single)
    session.wait(lambda e: isinstance(e, StateUpdate) and e.message.state == "queued")
    session.cancel(first, grace_s=60)
    session.end(first)

    assert session.end(second).states == ["queued", "started", "completed"]


def test_stale_command_is_not_started(session: Session) -> None:
    attempt = session.do("noop", ack_s=-1)

    assert attempt.states == []
    assert attempt.outcome == "stale"


def test_cancelled_command_that_waits_is_not_started(
    session: Session, single: str, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    first = session.begin("wait-for-cancel", server=single, marker=str(marker))
    second = session.begin("noop", server=single)
    session.cancel(second, grace_s=60)

    assert session.end(second).outcome == "cancelled"
    session.cancel(first, grace_s=60)
    session.end(first)


def test_duplicate_command_runs_once(session: Session) -> None:
    command = session.command("noop")
    session.pool.run(command)
    session.pool.run(command)

    assert session.end(command).states == ["started", "completed"]


def test_random_numbers_differ_between_bodies(session: Session) -> None:
    commands = [session.begin("random-number") for _ in range(8)]

    assert len({session.end(command).final["output"] for command in commands}) == 8
