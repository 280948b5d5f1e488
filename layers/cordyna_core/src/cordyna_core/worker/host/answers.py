"""Answers: the frames that the host hands on for an attempt, from its worker or of its own.

Invariant: what the worker says of itself is kept, except where the host knows better: who it is,
which attempt it runs, and that the host has stopped it.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Final

from cordyna_core.worker import verdicts
from cordyna_core.worker.host.attempt_record import AttemptRecord
from cordyna_core.worker.host.services import Services
from cordyna_core.worker.message_ids import derived_id
from cordyna_core.worker.protocol import FINAL_STATES, Frame, frame_bytes, key_of

_DEAD_LETTER_BYTES_MAX: Final = 64 * 1024
_CLOCK_MARGIN_S: Final = 1.0
"""A start is not held if the clock that it stops may run out meanwhile."""


def made_frame(
    attempt: AttemptRecord,
    make: Callable[..., dict[str, Any]],
    *arguments: Any,
    at: float | None = None,
) -> bytes:
    """Return the frame of a state update that the host makes, as of `at` (default: now)."""
    time = attempt.now() if at is None else at
    return frame_bytes("TaskStateChanged", make(attempt.command, time, *arguments))


def worker_frame(attempt: AttemptRecord, frame: Frame) -> bytes:
    """Return a worker's frame, with the server's name, and with a meta if its own is not valid."""
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
    """Return whether a worker's own meta has a time between the attempt's begin and now."""
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


def run_frame(attempt: AttemptRecord) -> bytes:
    """Return the RunTask of an attempt, as its worker gets it."""
    frame = attempt.frame
    return b'{"check_later":true,%b' % frame[1:] if attempt.is_alone else frame


def final_frame(attempt: AttemptRecord, frame: Frame) -> bytes | None:
    """Return the final state for what the worker says; None if the attempt was cut by a drain."""
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


def frame_for_skipped(attempt: AttemptRecord) -> bytes | None:
    """Return the final state if the body was not started.

    None if that is what a cancellation asked.
    """
    if attempt.end_reason is not None:
        return None
    return made_frame(attempt, verdicts.skipped)


def is_clean(frame: Frame) -> bool | None:
    """Return whether a worker that ends an attempt can be reused.

    None if its next frame says it.
    """
    return None if frame.fields.get("is_checked") is False else not frame.fields.get("unclean")


def explain_open_output(attempt: AttemptRecord, grace_s: float) -> None:
    """Write into the attempt's log why a process of it is stopped."""
    attempt.output.add_line(
        "stderr",
        f"cordyna: a process of this attempt kept its output open for {grace_s:g} s after the "
        "attempt had ended, so it is stopped; next: let it end with the body, or redirect "
        "its output",
    )


def frame_for_dead(attempt: AttemptRecord, exit_text: str) -> bytes | None:
    """Return the final state for a worker whose process ended; None if a drain has cut it."""
    reason, stderr = attempt.end_reason, attempt.output.last_stderr_lines()
    if reason == "drain":
        return None
    if reason is not None:
        return made_frame(attempt, verdicts.stopped, reason, None, stderr)
    return made_frame(attempt, verdicts.worker_died, exit_text, stderr)


def report_start(services: Services, attempt: AttemptRecord, at: float) -> None:
    """Publish `started` as of `at`; later, with the end, if the body may be a short one."""
    settings, link, command = services.settings, services.link, attempt.command
    clock_at = command.start_by if attempt.is_queued else command.ack_by
    is_urgent = clock_at - at < _CLOCK_MARGIN_S
    if is_urgent or (settings.reports_lone_start and attempt.is_alone):
        link.state(_start_frame(attempt, at))
    elif not settings.short_body_s:
        link.started(_start_frame(attempt, at))
    else:
        attempt.held_start_at = at
        send = partial(_send_held_start, services, attempt)
        attempt.timers.append(services.loop.timers.after(settings.short_body_s, send))


def _send_held_start(services: Services, attempt: AttemptRecord) -> None:
    held_at = attempt.take_held_start()
    if held_at is not None:
        services.link.state(_start_frame(attempt, held_at))


def _start_frame(attempt: AttemptRecord, at: float) -> bytes:
    return made_frame(attempt, verdicts.state_update, "started", at=at)


def report_progress(services: Services, attempt: AttemptRecord, frame: Frame) -> None:
    """Hand on a state that is not final, after the start of the body."""
    _send_held_start(services, attempt)
    services.link.started(worker_frame(attempt, frame))


def report_final(
    services: Services, attempt: AttemptRecord, final: bytes | None, ended: str | None = None
) -> None:
    """Send the final state, if there is one, with the start of the body, if that was held."""
    if final is None:
        _send_held_start(services, attempt)
    else:
        services.link.state(final, ended, attempt.take_held_start())


def publish_command(services: Services, attempt: AttemptRecord | None, frame: Frame) -> None:
    """Hand on what an attempt asks of cerebro, unless it has ended."""
    if attempt is None or attempt.has_final:
        why = "a command of a worker that runs no attempt"
        report_dead_letter(services, attempt, why, frame.line)
        return
    _send_held_start(services, attempt)
    command = attempt.command
    services.link.event(
        "message", server=command.server, key=command.key,
        detail_type=frame.detail_type, detail=frame.detail,
    )  # fmt: skip


def is_for(attempt: AttemptRecord, frame: Frame) -> bool:
    """Return whether a frame names this attempt, and its server if it names one."""
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
