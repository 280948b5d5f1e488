"""Invalid: what the contract forbids, as a person reads it: no patterns, but words."""

from typing import Final

from pydantic import ValidationError

from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import problems_of
from cordyna_core.contract.ids import NAME_PATTERN

NAME_IN_WORDS: Final = (
    "a name has 1 to 128 characters, which are letters (A to Z, a to z), digits, dots, underscores and hyphens, "
    "and begins with a letter or a digit"
)
_NAME_AS_A_PATTERN: Final = f"String should match pattern '{NAME_PATTERN}'"


def problems_in_words(invalid: ValidationError, code: str) -> list[Problem]:
    """One problem per fault that pydantic found."""
    return [
        problem.model_copy(
            update={"message": problem.message.replace(_NAME_AS_A_PATTERN, NAME_IN_WORDS)}
        )
        for problem in problems_of(invalid, code)
    ]
