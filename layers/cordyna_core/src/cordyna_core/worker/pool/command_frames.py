"""Command frames: the commands of cerebro as lines that the process of a body reads.

Invariant: a frame is the event's own detail, with what the host adds to it in front.
"""

from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.envelope import detail_json


def run_frame(command: RunTask, run_timeout_s: float, clock_offset_s: float) -> bytes:
    return _frame(command, f'"run_timeout_s":{run_timeout_s:g},"clock_offset_s":{clock_offset_s!r}')


def cancel_frame(command: CancelTask, grace_s: float) -> bytes:
    return _frame(command, f'"grace_s":{grace_s:g}')


def _frame(command: Message, fields: str) -> bytes:
    detail = f"{{{fields},{detail_json(command)[1:]}"
    return f'{{"detail-type":"{type(command).__name__}","detail":{detail}}}\n'.encode()
