"""Unexpected: what every check of a simulated world raises.

Invariant: its text fits into a report, however large the outputs are that it compares.
"""

from typing import Final

_MESSAGE_CHARS_MAX: Final = 300


class Unexpected(Exception):
    """Something is not what the rules give; outputs make its text long, so it is cut."""

    def __init__(self, message: str) -> None:
        super().__init__(message[:_MESSAGE_CHARS_MAX])
