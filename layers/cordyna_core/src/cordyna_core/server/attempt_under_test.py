"""Attempt under test: the command of `TaskServer.test_run`, its bus, and whether it is cancelled.

Invariant: what a test says of the attempt is checked as a command of cerebro would be.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.time import LATEST
from cordyna_core.errors import UserError
from cordyna_core.server.task import Task

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_OF_ATTEMPT: Final = ("attempt", "scheduled_at", "run_id")
_NEXT: Final = {
    "attempt": "give a whole number from 1 up",
    "scheduled_at": "give a datetime with its time zone",
    "run_id": "leave it out, or give the 26 characters of a run's id",
}


class SilentBus:
    """A bus without subscribers."""

    def publish(self, messages: Sequence[Message]) -> None: ...


class CancelledOnceStarted:
    """A Cancellation that applies as soon as the body runs; `asked` decides, if it is given."""

    def __init__(self, asked: Callable[[], bool] | None = None) -> None:
        self._asked = asked
        self._is_started = False

    def __call__(self) -> bool:
        # The first call is the server's, before it starts the body.
        if not self._is_started:
            self._is_started = True
            return False
        return self._asked() if self._asked is not None else True

    def watch(self, loop: "AbstractEventLoop", interrupt: Callable[[], None]) -> Callable[[], None]:
        if self._asked is None or self._asked():
            loop.call_soon(interrupt)
        return lambda: None


@dataclass(frozen=True, slots=True)
class AttemptUnderTest:
    """A command, and whether it is cancelled while its body runs."""

    command: RunTask
    cancelled: Callable[[], bool]


def attempt_under_test(
    server: str, task: Task, outputs: Mapping[str, Any], given: Mapping[str, Any]
) -> AttemptUnderTest:
    """Return the attempt that a test describes. Raises UserError."""
    name = task.declaration.name
    own = (task.parameters.schema or {}).get("properties", {})
    params = dict(given)
    of_attempt = {key: params.pop(key) for key in _OF_ATTEMPT if key in params and key not in own}
    cancelled = params.pop("cancelled", False) if "cancelled" not in own else False
    try:
        command = RunTask(
            server=server,
            task=name,
            params=params,
            upstream=dict(outputs),
            ack_by=LATEST,
            start_by=LATEST,
            **{"attempt": 1, "run_id": derived_id("test_run", name), **of_attempt},
        )
    except ValidationError as invalid:
        faults = invalid.errors(include_url=False, include_context=False, include_input=False)
        wrong = [str(fault["loc"][0]) for fault in faults]
        raise UserError(
            f'test_run("{name}") describes no attempt',
            why="\n".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in faults),
            next="; ".join(_NEXT[one] for one in dict.fromkeys(wrong) if one in _NEXT),
        ) from None
    return AttemptUnderTest(command, _cancellation(cancelled))


def _cancellation(cancelled: Any) -> Callable[[], bool]:
    if callable(cancelled):
        return CancelledOnceStarted(cancelled)
    if not isinstance(cancelled, bool):
        raise UserError(
            f"cancelled={cancelled!r} is no answer",
            next="give True, or a function that returns whether the attempt is cancelled",
        )
    return CancelledOnceStarted() if cancelled else lambda: False
