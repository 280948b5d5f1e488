"""`async def` bodies in worker processes: their value, and cancellation as CancelledError."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cordyna_core.worker.pool.events import Declared
from worker.running import SERVERS, Session, a_session, read_when_there

SERVER = str(SERVERS / "async_bodies.py")


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with a_session() as found:
        assert isinstance(found.load(SERVER), Declared)
        yield found


def test_async_body_returns_its_value(session: Session) -> None:
    attempt = session.do("quick", server="async-bodies")

    assert (attempt.final["output"], attempt.outcome) == ("quick", "reused")


def test_async_body_is_cancelled_at_once(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = session.begin("endless", server="async-bodies", marker=str(marker))
    read_when_there(marker)

    session.cancel(command, grace_s=600)

    attempt = session.end(command)
    assert attempt.final["reason"] == "cancelled"
    assert attempt.output("stdout") == "cancelled in the body\n"


def test_async_body_that_catches_it_completes(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = session.begin("catches-it", server="async-bodies", marker=str(marker))
    read_when_there(marker)

    session.cancel(command, grace_s=600)

    assert session.end(command).final["output"] == "half"


def test_async_body_is_stopped_by_its_run_clock(session: Session, tmp_path: Path) -> None:
    marker = str(tmp_path / "marker")
    attempt = session.do("endless", server="async-bodies", marker=marker, timeout_s=0.2)

    assert attempt.final["reason"] == "run_timeout"
