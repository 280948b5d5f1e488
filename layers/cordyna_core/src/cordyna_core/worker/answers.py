"""Answers: the frames that the host hands on for an attempt, from its worker or of its own.

Invariant: what the worker says of itself is kept, except where the host knows better: who it is,
which attempt it runs, and that the host has stopped it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from cordyna_core.worker import verdicts
from cordyna_core.worker.attempt_record import AttemptRecord
from cordyna_core.worker.message_ids import derived_id
from cordyna_core.worker.protocol import FINAL_STATES, Frame, frame_bytes, key_of
from cordyna_core.worker.services import Services

_DEAD_LETTER_BYTES_MAX: Final = 64 * 1024


def made_frame(
    attempt: AttemptRecord,
    make: Callable[..., dict[str, Any]],
    *arguments: Any,
    at: float | None = None,
) -> bytes:
    """The frame of a state update that the host makes, as of `at` (default: now)."""
    time = attempt.now() if at is None else at
    return frame_bytes("TaskStateChanged", make(attempt.command, time, *arguments))


def worker_frame(attempt: AttemptRecord, frame: Frame) -> bytes:
    """A worker's frame, with the server's name, and with a meta if it has none that can be true."""
    command, detail = attempt.command, frame.detail
    if "server" in detail and _is_plausible(detail.get("meta"), attempt):
        return frame.line
    state = detail["state"]
    if state in FINAL_STATES:
        message_id = derived_id("TaskStateChanged", *command.key, state)
    else:
        attempt.progress_count += 1
        message_id = derived_id("progress", *command.key, attempt.progress_count)
    meta = verdicts.meta(command, attempt.now(), message_id)
    return frame_bytes("TaskStateChanged", {**detail, "server": command.server, "meta": meta})


def _is_plausible(meta: object, attempt: AttemptRecord) -> bool:
    """Whether a worker's own meta has a time between the attempt's begin and now."""
    if not isinstance(meta, dict):
        return False
    try:
        time = datetime.fromisoformat(str(meta.get("time")))
    except ValueError:
        return False
    if time.tzinfo is None:
        return False
    seconds = time.timestamp()
    return _milliseconds(attempt.given_at) <= _milliseconds(seconds) and seconds <= attempt.now()


def _milliseconds(seconds: float) -> int:
    """Cut as the times on the wire are, which floats do not hold exactly."""
    return int(seconds * 1000 + 0.001)


def final_frame(attempt: AttemptRecord, frame: Frame) -> bytes | None:
    """The final state for what the worker says; None if the attempt was cut by a drain."""
    reason = attempt.end_reason
    if reason is None or frame.detail["state"] == "completed":
        return worker_frame(attempt, frame)
    if reason == "drain":
        return None
    error = frame.detail.get("error")
    return made_frame(
        attempt,
        verdicts.stopped,
        reason,
        error if isinstance(error, dict) else None,
        attempt.output.last_stderr_lines(),
    )


def frame_for_dead(attempt: AttemptRecord, exit_text: str) -> bytes | None:
    """The final state for a worker whose process ended; None if a drain has cut it."""
    reason, stderr = attempt.end_reason, attempt.output.last_stderr_lines()
    if reason == "drain":
        return None
    if reason is not None:
        return made_frame(attempt, verdicts.stopped, reason, None, stderr)
    return made_frame(attempt, verdicts.worker_died, exit_text, stderr)


def publish_command(services: Services, attempt: AttemptRecord, frame: Frame) -> None:
    """Hand on what an attempt asks of cerebro."""
    command = attempt.command
    services.link.event(
        "message", server=command.server, key=command.key,
        detail_type=frame.detail_type, detail=frame.detail,
    )  # fmt: skip


def is_for(attempt: AttemptRecord, frame: Frame) -> bool:
    """Whether a frame names this attempt, and its server if it names one."""
    command = attempt.command
    server = frame.detail.get("server", command.server)
    return key_of(frame.detail) == command.key and bool(server == command.server)


def report_dead_letter(
    services: Services, attempt: AttemptRecord | None, why: str, content: bytes
) -> None:
    """Tell the engine about a frame that could not be handled."""
    key = attempt.command.key if attempt is not None else None
    text = content[:_DEAD_LETTER_BYTES_MAX].decode("utf-8", "backslashreplace")
    services.link.event("dead_letter", why=why, key=key, text=text)
