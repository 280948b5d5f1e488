"""Worker death: ends an attempt whose worker died before it reported the end.

A Lambda that runs out of memory, exceeds its timeout or cannot start says nothing itself. Its death
is seen in two ways: by the on-failure destination of a function that a rule invokes, and by the
second delivery of a message whose attempt is claimed already.

Invariant: a report of death is an `error` like any other. If the attempt had ended after all, its
`completed` ranks above it, and a second `error` changes nothing (docs/rules.md, rule 1).
"""

import logging
from typing import Any, Final

from cordyna_core.attempt import Attempt
from cordyna_core.aws.inbound_event import parse_command_event
from cordyna_core.aws.runtime import ServerRuntime
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.commands import RunTask
from cordyna_core.ports import Claims

WHY_MAX_CHARS: Final = 400

_NEVER_STARTED: Final = "EventAgeExceeded"
"""The condition of an event that waited too long for a free function: the clocks report it."""

_log = logging.getLogger("cordyna.server")


class ObservedClaims:
    """Claims that note whether the last one was refused: another process holds the attempt."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self.was_refused = False

    def claim(self, run_id: str, task: str, attempt: int) -> bool:
        is_granted = self._claims.claim(run_id, task, attempt)
        self.was_refused = not is_granted
        return is_granted


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
