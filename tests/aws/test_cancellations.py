"""Cancellations on AWS: what a process notes, and what it reads from the claims table."""

import asyncio
from typing import Any

import pytest

from aws.runtime_in_memory import CancellableMemoryClaims
from cordyna_core.aws import runtime
from cordyna_core.aws.runtime import Cancellations
from cordyna_core.contract.commands import CancelTask
from server.builders import NOW, a_command, a_server, run

COMMAND = a_command()
CANCEL = CancelTask(
    server=COMMAND.server, run_id=COMMAND.run_id, task=COMMAND.task, attempt=COMMAND.attempt
)


async def endless() -> None:
    await asyncio.Event().wait()


def test_cancellation_noted_is_known_without_a_table() -> None:
    cancellations = Cancellations(None, lambda: NOW)
    cancellation = cancellations.of(COMMAND)
    assert not cancellation()
    cancellations.note(CANCEL)
    assert cancellation()


def test_cancellation_by_another_process_is_read_rarely() -> None:
    claims, now = CancellableMemoryClaims(), NOW
    cancellation = Cancellations(claims, lambda: now).of(COMMAND)
    claims.cancel(COMMAND.run_id, COMMAND.task, COMMAND.attempt)
    assert not any(cancellation() for _ in range(100))
    assert claims.asked == 0
    now += runtime.CANCELLED_READ_INTERVAL_S
    assert cancellation()
    assert cancellation()
    assert claims.asked == 1


def test_table_without_a_cancellation_is_read_once_an_interval() -> None:
    claims, now = CancellableMemoryClaims(), NOW
    cancellation = Cancellations(claims, lambda: now).of(COMMAND)
    for reads in range(1, 4):
        now += runtime.CANCELLED_READ_INTERVAL_S
        assert not any(cancellation() for _ in range(100))
        assert claims.asked == reads


def test_cancellation_in_the_table_interrupts_async_body(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """1. The table cannot be read. 2. It can. 3. It has the cancellation."""
    monkeypatch.setattr(runtime, "CANCELLED_READ_INTERVAL_S", 0.0)
    answers: list[bool | Exception] = [OSError("no table"), False, True]

    class Table(CancellableMemoryClaims):
        def is_cancelled(self, run_id: str, task: str, attempt: int) -> bool:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    cancellation = _AfterTheStart(Cancellations(Table(), lambda: NOW).of(COMMAND))
    result, _ = run(a_server(task_1=endless), COMMAND, cancelled=cancellation)

    assert result is not None
    assert result.reason == "cancelled"
    assert caplog.messages == ["whether the attempt is cancelled could not be read"]


def test_cancellation_without_a_table_leaves_async_body_alone() -> None:
    async def body() -> int:
        return 1

    result, _ = run(
        a_server(task_1=body), COMMAND, cancelled=Cancellations(None, lambda: NOW).of(COMMAND)
    )
    assert result is not None
    assert result.output == 1


class _AfterTheStart:
    """A cancellation that is not read before the body starts."""

    def __init__(self, inner: Any) -> None:
        self.watch = inner.watch

    def __call__(self) -> bool:
        return False
