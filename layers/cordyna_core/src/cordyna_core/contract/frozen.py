"""Frozen dataclasses that are made as fast as others: for what is made for every message.

The type checker refuses to set a field of them. Nothing looks while a program runs, because
`dataclasses` sets each field of a frozen instance by a call: one with 13 fields takes four times as
long to make, and cerebro makes hundreds for each task.

Invariant: an instance equals, hashes, copies and prints as one of `dataclasses.dataclass`.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

__all__ = ["fast_dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass as fast_dataclass
else:

    def fast_dataclass(cls: type | None = None, /, *, frozen: bool = False, **options: Any) -> Any:
        """Make a class a dataclass; a frozen one is frozen for the type checker."""
        # What is never changed may be hashed.
        return dataclasses.dataclass(cls, unsafe_hash=frozen, **options)
