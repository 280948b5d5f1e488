"""`async def` bodies: their value, and cancellation as CancelledError."""

import asyncio
from pathlib import Path
from typing import Final

from cordyna_core.worker import coroutines
from cordyna_core.worker.events import Declared
from worker.running import SERVERS, Session, a_session, read_when_there

_OPTIONS: Final = {
    "load": "async_server:load",
    "env": (("PYTHONPATH", f"{SERVERS}"),),
}


def _load(session: Session) -> None:
    declared = session.load("anything", **_OPTIONS)
    assert isinstance(declared, Declared), declared
    assert declared.concurrency == 2


def test_async_body_returns_its_value() -> None:
    with a_session() as session:
        _load(session)

        assert session.do("quick", server="async").final["output"] == "quick"


def test_async_body_is_cancelled_at_once(tmp_path: Path) -> None:
    with a_session() as session:
        _load(session)
        marker = tmp_path / "marker"
        command = session.begin("endless", server="async", marker=str(marker))
        read_when_there(marker)

        session.cancel(command, grace_s=600)

        attempt = session.end(command)
        assert attempt.final["reason"] == "cancelled"
        assert attempt.output("stdout") == "cancelled in the body\n"


def test_async_body_is_stopped_by_its_run_clock(tmp_path: Path) -> None:
    with a_session() as session:
        _load(session)
        marker = str(tmp_path / "marker")
        attempt = session.do("endless", server="async", marker=marker, timeout_s=0.2)

        assert attempt.final["reason"] == "run_timeout"


def test_value_of_a_plain_result_is_the_result() -> None:
    assert coroutines.value_of(3) == 3


def test_value_of_a_coroutine_without_source_is_its_value() -> None:
    async def body() -> int:
        await asyncio.sleep(0)
        return 4

    assert coroutines.value_of(body()) == 4
