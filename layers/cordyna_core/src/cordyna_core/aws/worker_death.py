"""Worker death: ends an attempt whose worker died before it reported the end.

A Lambda that runs out of memory, exceeds its timeout or cannot start says nothing itself. Its death
is seen in two ways: by the on-failure destination of a function that a rule invokes, and by the
second delivery of a message whose attempt is claimed by a process that no longer renews its lease.
(SQS may also deliver a message twice beside a running body, whose process does renew it.)

Invariant: a report of death is an `error` like any other. If the attempt had ended after all, its
`completed` ranks above it, and a second `error` changes nothing (docs/rules.md, rule 1).
"""

import logging
from typing import Any, Final

from cordyna_core.attempt import Attempt
from cordyna_core.aws.inbound_event import parse_command_event
from cordyna_core.aws.runtime import CancellableClaims, ServerRuntime
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.commands import RunTask
from cordyna_core.errors import CordynaError

WHY_MAX_CHARS: Final = 400

_NEVER_STARTED: Final = "EventAgeExceeded"
"""The condition of an event that waited too long for a free function: the clocks report it."""

_log = logging.getLogger("cordyna.server")


class RunsElsewhere(CordynaError):
    """Another process runs this attempt: its message is kept, in case that process dies."""


class ObservedClaims:
    """The claim of one delivery: whether it was refused, and the lease of a granted one."""

    def __init__(self, claims: CancellableClaims) -> None:
        self._claims = claims
        self._granted: tuple[str, str, int] | None = None
        self._refused: tuple[str, str, int] | None = None

    def claim(self, run_id: str, task: str, attempt: int) -> bool:
        is_granted = self._claims.claim(run_id, task, attempt)
        if is_granted:
            self._granted = run_id, task, attempt
        else:
            self._refused = run_id, task, attempt
        return is_granted

    @property
    def was_refused(self) -> bool:
        return self._refused is not None

    def renew(self) -> None:
        """Extend the lease, if the claim was granted; a failure is logged."""
        if self._granted is None:
            return
        try:
            self._claims.renew(*self._granted)
        except Exception:  # noqa: BLE001  the next heartbeat tries again
            _log.warning("the lease of a claim was not renewed", exc_info=True)

    def is_held_elsewhere(self) -> bool:
        """Return whether the claim was refused and its holder is alive.

        Raises what the claims raise.
        """
        return self._refused is not None and self._claims.is_leased(*self._refused)


def report_death(
    command: RunTask, runtime: ServerRuntime, why: str, *, reason: str = "worker_died"
) -> None:
    """Publish the error of an attempt whose worker is gone. Raises what the bus raises."""
    _log.error("the worker of %s, attempt %d, died: %s", command.task, command.attempt, why)
    Attempt(command, runtime.bus, runtime.clock, lambda: False).report(
        "error",
        reason=reason,
        error=ErrorDescription(type="WorkerDied", message=why[:WHY_MAX_CHARS], retryable=True),
    )


def report_failed_invocation(record: dict[str, Any], runtime: ServerRuntime) -> None:
    """Handle a record of an on-failure destination (AWS Lambda, asynchronous invocation).

    Raises MalformedEvent, Fatal, and what the bus raises.
    """
    if record["requestContext"]["condition"] == _NEVER_STARTED:
        return
    command = parse_command_event(record["requestPayload"]).message
    if isinstance(command, RunTask):
        answer = record.get("responsePayload") or {}
        why = answer.get("errorMessage") or "the function ended without an answer"
        report_death(command, runtime, str(why))
