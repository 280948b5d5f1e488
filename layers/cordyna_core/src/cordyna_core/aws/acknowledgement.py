"""Acknowledgement: `queued` of the commands on a work queue, if their bodies do not begin soon.

Beside each command the queue ingress puts a *check* on a queue that delays it. By then most bodies
have begun, and report that themselves: their attempts are claimed. Of the others the check
publishes `queued`.

Invariant: that `queued` was published is stored after it was. A worker starts a body after `ack_by`
only if it finds that (docs/rules.md, rule 6).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from cordyna_core.attempt import Attempt, is_stale
from cordyna_core.aws.eventbridge import MAX_ENTRIES
from cordyna_core.aws.inbound_event import Event
from cordyna_core.aws.runtime import CancellableClaims, ServerRuntime
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.envelope import detail_json
from cordyna_core.start_hold import CLOCK_MARGIN_S

QUEUED: Final = "queued"
"""False in a message of the work queue: `queued` is left to a check. Without it, it was published
before, as a library from before the checks always does.
"""

_WITHOUT_VALUES: Final[Mapping[str, Any]] = {"params": {}, "upstream": {}, "upstream_omitted": []}

_log = logging.getLogger("cordyna.server")


def check_of(command: RunTask) -> str:
    """Return the body of a check: the command without values, which may be large."""
    return detail_json(command.model_copy(update=_WITHOUT_VALUES))


def was_queued(event: Event, command: RunTask, runtime: ServerRuntime) -> bool:
    """Return whether `queued` was published of a command that comes from the work queue.

    It is looked up only where it matters: near `ack_by`, and later. Raises what the claims raise.
    """
    if event.get(QUEUED, True):
        return True
    is_early = runtime.clock() + CLOCK_MARGIN_S < command.ack_by.timestamp()
    if is_early or runtime.claims is None:
        return False
    return runtime.claims.is_queued(command.run_id, command.task, command.attempt)


def acknowledge(
    records: Sequence[Mapping[str, Any]], runtime_of: Callable[[str], ServerRuntime]
) -> dict[str, Any]:
    """Handle the records of a queue of checks; return the failed ones.

    `runtime_of` returns the runtime of a server's name.
    """
    checks: dict[str, dict[str, RunTask]] = {}
    failed: list[str] = []
    for record in records:
        try:
            command = RunTask.model_validate_json(record["body"])
        except ValueError:
            _log.exception("message %s is no check of a command", record["messageId"])
            failed.append(record["messageId"])
        else:
            checks.setdefault(command.server, {})[record["messageId"]] = command
    for server, commands in checks.items():
        failed += _acknowledge(commands, runtime_of(server))
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


def _acknowledge(commands: Mapping[str, RunTask], runtime: ServerRuntime) -> list[str]:
    """Publish `queued` of each command whose body has not begun; return the failed messages."""
    try:
        assert runtime.claims is not None, "checks are sent only where claims are kept"
        waiting = _waiting(commands, runtime, runtime.claims)
    except Exception:  # noqa: BLE001  they are delivered again
        _log.exception("%d commands were not acknowledged", len(commands))
        return list(commands)
    published = _publish(waiting, runtime)
    return [
        message
        for message, command in waiting.items()
        if message not in published or not _is_noted(command, runtime.claims)
    ]


def _publish(waiting: Mapping[str, RunTask], runtime: ServerRuntime) -> set[str]:
    """Publish `queued` of each command; return the messages of those that the bus accepted.

    They are noted later, so that the last one of a batch is not late because of the first.
    """
    published: set[str] = set()
    messages = iter(waiting)
    while some := list(islice(messages, MAX_ENTRIES)):
        updates = _Collected()
        try:
            for message in some:
                Attempt(waiting[message], updates, runtime.clock, lambda: False).report("queued")
            runtime.bus.publish(updates.messages)
        except Exception:  # noqa: BLE001  they are delivered again
            _log.exception("%d commands were not acknowledged", len(some))
        else:
            published |= set(some)
    return published


def _waiting(
    commands: Mapping[str, RunTask], runtime: ServerRuntime, claims: CancellableClaims
) -> dict[str, RunTask]:
    """Return the commands that no worker has claimed, of those that are not stale."""
    attempts = {
        message: (command.run_id, command.task, command.attempt)
        for message, command in commands.items()
    }
    begun = claims.claimed(list(attempts.values()))
    waiting = {}
    for message, command in commands.items():
        if attempts[message] in begun:
            continue
        if is_stale(command, runtime.clock(), queued=False):
            _log.warning("it is too late to acknowledge %s of %s", command.task, command.run_id)
            continue
        waiting[message] = command
    return waiting


def _is_noted(command: RunTask, claims: CancellableClaims) -> bool:
    try:
        claims.note_queued(command.run_id, command.task, command.attempt)
    except Exception:  # noqa: BLE001  it is delivered again, and `queued` published under its id
        _log.exception("that %s of %s is queued was not stored", command.task, command.run_id)
        return False
    return True


class _Collected:
    """A bus that keeps messages, so that they are published in one request."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def publish(self, messages: Sequence[Message]) -> None:
        self.messages += messages
