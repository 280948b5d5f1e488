"""Readable items: what a list of stored items shows if some of them cannot be read.

Invariant: a damaged item keeps no other one from being listed, swept or resumed. It is logged with
its name; who reads it alone gets the error.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from cerebro.adapters.codecs import OtherFormat
from cerebro.ports import DamagedItem

_log = logging.getLogger(__name__)

Stored = TypeVar("Stored")
T = TypeVar("T")


def readable(items: Iterable[Stored], decode: Callable[[Stored], T]) -> Iterator[T]:
    """Yield what `decode` returns for each item that can be read."""
    for item in items:
        try:
            decoded = decode(item)
        except (DamagedItem, OtherFormat) as unreadable:
            _log.error("left out of a list: %s", unreadable)
        else:
            yield decoded
