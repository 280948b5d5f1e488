"""Engine worlds: the embedded engine's loop under exceptions, clock jumps, restarts and pruning."""

from collections.abc import Callable
from typing import Any

import pytest

from cerebro.embedded.runtime import message_loop
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.simulator.worlds.engine_world import EngineWorld

SEEDS = range(60)


def broken() -> list[str]:
    return [text for seed in SEEDS if (text := EngineWorld(seed).run().broken)]


def test_engine_worlds_break_nothing() -> None:
    assert not broken()


def test_engine_worlds_have_every_fault_of_an_engine() -> None:
    injected: set[str] = set()
    for seed in SEEDS:
        injected |= set(EngineWorld(seed).run().injected)
    faults = {"unexpected exception", "home failed", "wall clock set", "engine restarted", "poison"}
    assert faults <= injected


def test_deadlines_that_stay_when_the_clock_jumps_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(message_loop, "shift_deadlines", lambda _store, _seconds: None)
    assert any("timeout" in text for text in broken())


def test_batch_that_is_lost_after_an_exception_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    process: Callable[..., list[str]] = MessageLoop._process_batch

    def lose(loop: MessageLoop, batch: list[Any], inbox_limit: int, now: float) -> list[str]:
        try:
            return process(loop, batch, inbox_limit, now)
        except Exception:
            batch.clear()
            raise

    monkeypatch.setattr(MessageLoop, "_process_batch", lose)
    assert broken()


def test_run_that_is_not_resumed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(_: MessageLoop, run_id: str) -> Any:
        return run_id

    monkeypatch.setattr(MessageLoop, "resume_run", forget)
    assert broken()
