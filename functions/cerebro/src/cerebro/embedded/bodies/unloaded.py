"""Unloaded servers: the answer to a command whose server has no code to run."""

from collections.abc import Iterable

from cordyna_core.contract.base import ErrorDescription, meta_at
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.state_updates import TaskStateChanged


def answer_unloaded(command: RunTask, errors: Iterable[str], now: float) -> TaskStateChanged:
    """Return the error of an attempt that no body was started for. It may be tried again.

    Args:
        errors: of each target that failed to load; which of them is this server cannot be told,
            for none has declared itself.
        now: UTC seconds.
    """
    attempt = (command.run_id, command.task, command.attempt)
    meta = command.meta
    return TaskStateChanged(
        meta=meta_at(
            now,
            derived_id("TaskStateChanged", *attempt, "error"),
            meta.id if meta is not None else None,
            meta.traceparent if meta is not None else None,
        ),
        server=command.server,
        run_id=command.run_id,
        task=command.task,
        attempt=command.attempt,
        state="error",
        reason="failed",
        error=ErrorDescription(
            type="ServerNotLoaded",
            message=f"{command.server} has no code to run: {'; '.join(errors)}",
            retryable=True,
        ),
    )
