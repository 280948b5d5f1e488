"""A home that fails while messages leave: what was committed is delivered, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cerebro.adapters.sqlite.database import HomeLocked
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.storage.home import MemoryHome
from cordyna_core.contract.commands import Command, InvokeTask
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CLIENT, server_source
from cordyna_core.contract.state_updates import ServerRemoved
from cordyna_core.contract.time import utc
from cordyna_core.errors import ServiceError
from world.declarations import declared
from world.world import NOON


class Engine:
    """An engine whose server refuses the first command while the home is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON
        self.sent: list[str] = []
        self.home = MemoryHome()
        self.loop = MessageLoop(self.home, lambda: self.now, to_server=self._receive)
        self.is_full = True
        add = self.home.event_log.add_dead_letter

        def add_or_fail(*arguments: Any) -> None:
            if self.is_full:
                raise ServiceError("the disk is full.", next="free some space")
            add(*arguments)

        monkeypatch.setattr(self.home.event_log, "add_dead_letter", add_or_fail)
        declaration = seal(declared("s", "a  b  c<-a,b"), server_source("s"), "d", utc(NOON))
        self.loop.declare([declaration])
        self.loop.put(seal(InvokeTask(task="c", key="k"), CLIENT, "i", utc(NOON)))
        with pytest.raises(ServiceError):
            self.loop.step()

    def _receive(self, command: Command, _: str) -> None:
        if getattr(command, "task", "") == "a":
            raise OSError("broken pipe")
        self.sent.append(getattr(command, "task", ""))


def test_committed_command_is_delivered_in_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(monkeypatch)
    assert (engine.sent, engine.loop.is_idle) == ([], False)
    engine.loop.step()
    assert (engine.sent, engine.loop.is_idle) == (["b"], True)


def test_committed_command_leaves_before_the_clock_jumps(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(monkeypatch)
    engine.now += 3600
    engine.loop.on_clock_jump(3600)
    assert engine.sent == ["b"]


@contextmanager
def locked() -> Iterator[None]:
    yield
    raise HomeLocked("the database is locked by another program.")


def test_message_that_was_not_committed_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[str] = []
    home = MemoryHome()
    loop = MessageLoop(home, lambda: NOON, to_server=lambda *_: None, on_event=passed.append)
    stopped = ServerRemoved(server="s", generation=1)
    with monkeypatch.context() as patch:
        patch.setattr(home, "transaction", locked)
        with pytest.raises(HomeLocked):
            loop.publish_now([stopped])
    loop.step()
    assert passed == []
    loop.publish_now([stopped])
    assert len(passed) == 1
