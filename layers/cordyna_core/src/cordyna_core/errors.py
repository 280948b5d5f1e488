"""Errors: one tree of exceptions.

Invariant: what a caller can decide about is data (a reason, a problem), not an exception.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the contract imports this module
    from cordyna_core.contract.base import Problem


class CordynaError(Exception):
    """The base of everything that cordyna raises."""


class UserError(CordynaError):
    """A person can fix this: what happened, why, and what to do next.

    It is printed without a traceback.
    """

    def __init__(self, what: str, *, why: str = "", next: str = "") -> None:  # noqa: A002
        super().__init__(what)
        self.what, self.why, self.next = what, why, next

    def __str__(self) -> str:
        lines = [self.what]
        lines += [f"  {line}" for line in self.why.splitlines()]
        lines += [f"  next: {self.next}"] if self.next else []
        return "\n".join(lines)


class Refusal(UserError):
    """Cerebro refused a command or a declaration; `problems` are the reasons."""

    def __init__(
        self,
        what: str,
        problems: "Sequence[Problem]",
        *,
        why: str = "",
        next: str = "",  # noqa: A002
    ) -> None:
        super().__init__(what, why=why, next=next)
        self.problems = tuple(problems)


def fix_problems(count: int) -> str:
    """Return what to do next about problems that an error lists."""
    return "fix the problem above" if count == 1 else "fix the problems above"


class NotFound(UserError):
    """Nothing has the given name."""


class AccessError(UserError):
    """Credentials or an endpoint were not accepted."""


class ServiceError(UserError):
    """A service that cordyna needs failed (a full disk, a throttled table, ...)."""


class Conflict(CordynaError):
    """Another writer was first: read again, and decide again."""


class Fatal(CordynaError):
    """This message can never be handled: it becomes a dead letter with this reason."""


class TaskError(CordynaError):
    """Raised by a task: RetryableError or TerminalError says whether a retry makes sense."""

    retryable: bool = True


class RetryableError(TaskError):
    """This attempt failed; another may succeed."""


class TerminalError(TaskError):
    """No attempt will succeed: the task is not retried (reason `failed_terminal`)."""

    retryable = False
