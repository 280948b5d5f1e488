"""Errors: one tree. What a caller can decide upon is data (a reason, a problem), not an exception."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # errors are there before the contract is
    from cordyna_core.contract.base import Problem


class CordynaError(Exception):
    """Everything that cordyna raises."""


class UserError(CordynaError):
    """A person can mend this: what happened, why, and what to do next. Printed without a traceback."""

    def __init__(self, what: str, *, why: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.next = what, why, next

    def __str__(self) -> str:
        lines = [self.what]
        lines += [f"  {line}" for line in self.why.splitlines()]
        lines += [f"  next: {self.next}"] if self.next else []
        return "\n".join(lines)


class Refusal(UserError):
    """Cerebro refused a command or a declaration, for these reasons."""

    def __init__(
        self, what: str, problems: "Sequence[Problem]", *, why: str = "", next: str = ""
    ) -> None:
        super().__init__(what, why=why, next=next)
        self.problems = tuple(problems)


class NotFound(UserError):
    """Nothing here has that name."""


class AccessError(UserError):
    """Credentials or an endpoint do not work."""


class ServiceError(UserError):
    """A service that cordyna needs answered with an error (a full disk, a throttled table, ...)."""


class Conflict(CordynaError):
    """Somebody else wrote first: read again and decide again."""


class Fatal(CordynaError):
    """This message can never be handled: it goes to the dead-letter queue with this reason."""


class TaskError(CordynaError):
    """Raise one of the two below in a task to say whether trying again makes sense."""

    retryable: bool = True


class RetryableError(TaskError):
    """This attempt failed; another may succeed."""


class TerminalError(TaskError):
    """No attempt will succeed: the task is not retried (reason `failed_terminal`)."""

    retryable = False
