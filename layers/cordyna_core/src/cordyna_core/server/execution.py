"""Execution: how one RunTask becomes state updates.

Invariant: a body starts only while its command is fresh (docs/rules.md, rule 6), and an attempt
whose body started ends in exactly one of `completed` and `error`, unless the bus fails.
"""

import inspect
from collections.abc import Callable
from typing import Any

from cordyna_core.attempt import Attempt, is_stale
from cordyna_core.contract.commands import RunTask
from cordyna_core.ports import Bus, Claims, Clock
from cordyna_core.server.context import Context
from cordyna_core.server.result import AttemptCancelled, TaskResult, describe, json_output
from cordyna_core.server.retried_errors import RetriedErrors
from cordyna_core.server.task import Task
from cordyna_core.start_hold import StartHold


def run_attempt(
    task_of: Callable[[str], Task],
    command: RunTask,
    *,
    bus: Bus,
    clock: Clock,
    queued: bool,
    claims: Claims | None,
    cancelled: Callable[[], bool],
    start: StartHold | None,
) -> TaskResult | None:
    """Run one attempt and publish its states; see `TaskServer.run`.

    `task_of` returns a task by name; `start` is None if `started` has been reported. Raises what
    the bus or the claims raise.
    """
    if cancelled() or not _may_start(command, clock, claims, queued=queued):
        return None
    attempt = Attempt(command, bus, clock, cancelled)
    secrets: tuple[str, ...] = ()
    try:
        task = task_of(command.task)
        params, secrets = task.parameters.with_secrets(command.params)
        arguments = task.parameters.bind(params, secrets)
        context = Context(attempt, task.upstream_names)
        if task.parameters.takes_upstream:
            arguments |= task.parameters.upstream_arguments(context.upstream)
    except Exception as refusal:  # noqa: BLE001  a validator of a type is code of the user's, too
        return _failed(attempt, refusal, RetriedErrors(), secrets)
    if task.parameters.context_name is not None:
        arguments[task.parameters.context_name] = context
    if start is not None:
        _begin(attempt, start.seconds(command, clock(), queued=queued), start)
    try:
        output = _output_of(task, arguments, attempt)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  also SystemExit: a body does not end its server
        return _failed(attempt, error, task.retried, secrets)
    attempt.report("completed", output=output)
    return TaskResult(state="completed", output=output, events=tuple(attempt.events))


def _may_start(command: RunTask, clock: Clock, claims: Claims | None, *, queued: bool) -> bool:
    """Return whether the command is fresh, and its attempt is this process's to run."""
    if is_stale(command, clock(), queued=queued):
        return False
    if claims is None:
        return True
    is_granted = claims.claim(command.run_id, command.task, command.attempt)
    # The claim is a remote call, which may have taken long.
    return is_granted and not is_stale(command, clock(), queued=queued)


def _begin(attempt: Attempt, hold_s: float, start: StartHold) -> None:
    """Report `started`, now or after `hold_s`. Raises what the bus raises now."""
    if hold_s:
        attempt.hold_start(hold_s, start.timer)
    else:
        attempt.report("started")


def _output_of(task: Task, arguments: dict[str, Any], attempt: Attempt) -> Any:
    """Run the body. Returns its output, and raises what it raises, after the end of the hold."""
    try:
        result = _call(task.function, arguments, attempt.cancelled)
        return task.output_type.json_output(result) if task.output_type else json_output(result)
    finally:
        attempt.end_hold()


def _call(
    function: Callable[..., Any], arguments: dict[str, Any], cancelled: Callable[[], bool]
) -> Any:
    result = function(**arguments)
    # The result decides, not the function: a decorator or a callable object may hide `async def`.
    if not inspect.isawaitable(result):
        return result
    # Imported here: asyncio would make every cold start 20 ms longer, also without `async def`.
    from cordyna_core.server.async_body import run_to_end  # noqa: PLC0415  needed only here

    return run_to_end(result, cancelled)


def _failed(
    attempt: Attempt, error: BaseException, retried: RetriedErrors, secrets: tuple[str, ...]
) -> TaskResult:
    description = describe(error, retryable=retried.is_retried(error), secrets=secrets)
    reason = "failed" if description.retryable else "failed_terminal"
    if isinstance(error, AttemptCancelled):
        reason = "cancelled"
    attempt.report("error", reason=reason, error=description)
    return TaskResult(state="error", reason=reason, error=description, events=tuple(attempt.events))
