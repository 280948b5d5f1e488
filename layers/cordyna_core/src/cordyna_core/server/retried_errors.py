"""Retried errors: which exceptions of a body make sense to try again.

Invariant: it decides only whether an attempt that the body ended by an exception may be retried.
Whether attempts are left and when the next one begins is cerebro's decision, and so is what follows
a clock or the death of a process.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cordyna_core.errors import RetryableError, TaskError, UserError

ErrorClasses = type[BaseException] | Iterable[type[BaseException]]


@dataclass(frozen=True, slots=True)
class RetriedErrors:
    """`only` None: every exception; `never` excludes, also subclasses of those in `only`."""

    only: tuple[type[BaseException], ...] | None = None
    never: tuple[type[BaseException], ...] = ()

    def is_retried(self, error: BaseException) -> bool:
        """Return whether another attempt may succeed after this exception."""
        if isinstance(error, self.never):
            return False
        if isinstance(error, TaskError) and not error.retryable:
            return False
        if self.only is None or isinstance(error, RetryableError):
            return True
        return isinstance(error, self.only)


def retried_errors(
    task: str, retry_on: ErrorClasses | None, never_retry_on: ErrorClasses
) -> RetriedErrors:
    """Return what a task declares. Raises UserError for what is not a class of exceptions."""
    return RetriedErrors(
        only=None if retry_on is None else _classes(task, "retry_on", retry_on),
        never=_classes(task, "never_retry_on", never_retry_on),
    )


def _classes(task: str, option: str, given: Any) -> tuple[type[BaseException], ...]:
    classes = (given,) if isinstance(given, type) else given
    if isinstance(classes, Iterable) and not isinstance(classes, str):
        listed = tuple(classes)
        if all(isinstance(one, type) and issubclass(one, BaseException) for one in listed):
            return listed
    raise UserError(
        f'task "{task}": {option}={given!r} is not a class of exceptions, nor several',
        next=f"write for example {option}=(TimeoutError, ConnectionError)",
    )
