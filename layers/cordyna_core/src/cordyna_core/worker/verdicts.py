"""Verdicts: the state updates that the host publishes in the name of a server.

Invariant: every attempt that a worker was given gets exactly one final state, unless the engine
itself is being stopped.
"""

from typing import Any, Final, NamedTuple

from cordyna_core.worker.message_ids import derived_id, rfc3339
from cordyna_core.worker.protocol import AttemptKey

_TRACEBACK_BYTES_MAX: Final = 2048

_FAULT: Final = "a fault in compiled code"
_LIKELY_CAUSES: Final = {
    "SIGKILL": "the system may have been out of memory",
    "SIGSEGV": _FAULT,
    "SIGBUS": _FAULT,
    "SIGILL": _FAULT,
    "SIGFPE": _FAULT,
}
"""What most often ends a process so; a signal without a row was sent by a program."""


class AttemptCommand(NamedTuple):
    """What the host needs to know of a RunTask.

    `clock_offset_s`: what the engine's UTC seconds are ahead of the monotonic clock. By it, the
    host and the body tell the engine's time, whatever is done to the wall clock meanwhile.
    """

    server: str
    key: AttemptKey
    ack_by: float
    start_by: float
    run_timeout_s: float | None
    cause: str | None
    traceparent: str | None
    clock_offset_s: float


def command_from_json(values: list[Any]) -> AttemptCommand:
    """Return the command that was made JSON as a tuple of its fields."""
    server, key, *rest = values
    return AttemptCommand(server, AttemptKey(*key), *rest)


def state_update(command: AttemptCommand, now: float, state: str, **fields: Any) -> dict[str, Any]:
    """Return the detail of a TaskStateChanged.

    Its id follows from the attempt and the state.
    """
    run_id, task, attempt = command.key
    return {
        "server": command.server,
        "run_id": run_id,
        "task": task,
        "attempt": attempt,
        "state": state,
        **fields,
        "meta": meta(command, now, derived_id("TaskStateChanged", run_id, task, attempt, state)),
    }


def meta(command: AttemptCommand, now: float, message_id: str) -> dict[str, Any]:
    """Return the meta of a message about an attempt."""
    fields: dict[str, Any] = {"id": message_id, "time": rfc3339(now)}
    if command.cause is not None:
        fields["cause"] = command.cause
    if command.traceparent is not None:
        fields["traceparent"] = command.traceparent
    return fields


def worker_died(command: AttemptCommand, now: float, exit_text: str, stderr: str) -> dict[str, Any]:
    """The process of the body ended before its final state."""
    cause = _LIKELY_CAUSES.get(exit_text)
    how = f"{exit_text} ({cause})" if cause else exit_text
    error = {
        "type": "WorkerDied",
        "message": f"the process of the body ended without a result: {how}",
        "retryable": True,
    }
    if stderr:
        error["traceback"] = _last_bytes(stderr)
    return state_update(command, now, "error", reason="worker_died", error=error)


def stopped(
    command: AttemptCommand, now: float, reason: str, error: dict[str, Any] | None, stderr: str
) -> dict[str, Any]:
    """The body was stopped by its clock or by a cancellation. `error` is what it said itself."""
    limit = command.run_timeout_s
    kinds = {
        "run_timeout": ("RunTimeout", f"the body ran longer than {limit:g} s" if limit else ""),
        "cancelled": ("Cancelled", "the attempt was cancelled"),
    }
    kind, message = kinds[reason]
    own_trace = (error or {}).get("traceback")
    has_trace = isinstance(own_trace, str) and own_trace != ""
    trace = own_trace if has_trace else _last_bytes(stderr)
    description = {
        "type": kind,
        "message": f"{message}, so it was stopped",
        "retryable": reason == "run_timeout",
        **({"traceback": trace} if trace else {}),
    }
    return state_update(command, now, "error", reason=reason, error=description)


def skipped(command: AttemptCommand, now: float) -> dict[str, Any]:
    """The worker did not start the body, though the attempt was not cancelled."""
    error = {
        "type": "AttemptSkipped",
        "message": "the worker did not start the body, and gave no reason",
        "retryable": True,
    }
    return state_update(command, now, "error", reason="failed", error=error)


def bad_final(command: AttemptCommand, now: float, why: str) -> dict[str, Any]:
    """The worker sent a frame that cannot be read, so that the attempt has no other final state."""
    error = {
        "type": "BadFrame",
        "message": f"the worker sent a frame that cannot be read: {why}",
        "retryable": False,
    }
    return state_update(command, now, "error", reason="failed_terminal", error=error)


def _last_bytes(text: str) -> str:
    data = text.encode("utf-8", "backslashreplace")
    return data[-_TRACEBACK_BYTES_MAX:].decode("utf-8", "ignore")
