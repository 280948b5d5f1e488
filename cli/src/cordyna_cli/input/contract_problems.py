"""Contract problems: what the contract forbids, in words instead of patterns."""

from typing import Final

from pydantic import ValidationError

from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import problems_of
from cordyna_core.contract.ids import NAME_PATTERN

NAME_RULE: Final = (
    "a name has 1 to 128 characters, which are letters (A to Z, a to z), digits, dots, "
    "underscores and hyphens, and begins with a letter or a digit"
)
_PATTERN_MESSAGE: Final = f"String should match pattern '{NAME_PATTERN}'"


def readable_problems(invalid: ValidationError, code: str) -> list[Problem]:
    """Return one problem per error that pydantic found."""
    return [
        problem.model_copy(update={"message": problem.message.replace(_PATTERN_MESSAGE, NAME_RULE)})
        for problem in problems_of(invalid, code)
    ]
