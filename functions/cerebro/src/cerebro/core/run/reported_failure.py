"""Reported failure: the reason and the description that are kept of an error that a server reports.

Invariant: a reason that only cerebro gives is never a server's. Otherwise a person would read that
a server is silent which has just answered, or that a run was cancelled which was not.
"""

from typing import Final

from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.reasons import is_reserved, is_retryable
from cordyna_core.contract.state_updates import TaskStateChanged

_NO_DESCRIPTION: Final = ErrorDescription(type="Error", message="the server gave no description")


def reported_failure(update: TaskStateChanged) -> tuple[str, ErrorDescription]:
    """Return the reason of a server's error, and its description.

    A reason that only cerebro gives becomes `failed`, or `failed_terminal` if it is never retried,
    and the description says so.
    """
    error = update.error or _NO_DESCRIPTION
    reason = (update.reason or "failed") if error.retryable else "failed_terminal"
    if not is_reserved(reason):
        return reason, error
    noted = ErrorDescription(
        type=error.type,
        message=f"the server gave the reason `{reason}`, which only cerebro gives; {error.message}",
        retryable=error.retryable,
        traceback=error.traceback,
    )
    return "failed" if is_retryable(reason) else "failed_terminal", noted
