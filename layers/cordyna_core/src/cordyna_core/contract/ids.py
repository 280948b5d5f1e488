"""Names, sources and ids: how everything on the bus is identified.

Invariant: an id is derived from its cause, so deciding twice gives the same id.
"""

import hashlib
import re
from functools import lru_cache
from typing import Annotated, Final

from pydantic import StringConstraints

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
NAME_RULE: Final = (
    "begin with a letter or a digit, then letters, digits, `.`, `_` and `-`, at most 128 in all"
)
"""NAME_PATTERN in words, for error messages."""

RUN_ID_PATTERN: Final = r"^[0-9A-HJKMNP-TV-Z]{26}$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""The name of a task or a server: case-sensitive, kept as written."""

RunId = Annotated[str, StringConstraints(pattern=RUN_ID_PATTERN)]
"""26 Crockford base-32 characters (130 bits of a hash)."""

CEREBRO: Final = "cordyna.cerebro"
CLIENT: Final = "cordyna.client"
SCHEDULER: Final = "cordyna.scheduler"
SERVER_PREFIX: Final = "cordyna.server."

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Each byte of a digest becomes one character: 26 bytes in, 26 characters (5 bits each) out.
_TO_CROCKFORD: Final = bytes(ord(_CROCKFORD[byte & 31]) for byte in range(256))


def is_name(text: str) -> bool:
    """Return whether `text` may be the name of a task or a server."""
    return re.fullmatch(NAME_PATTERN, text) is not None


def content_id(*parts: str | int) -> str:
    """Return 26 Crockford characters (130 bits) of a hash of `parts`, which may be of any size."""
    # No name contains the unit separator, so ("a", "b") and ("ab",) give different ids.
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return digest[:26].translate(_TO_CROCKFORD).decode()


# Cached, because those who handle a message name the same things again and again. `typed`: the
# text of a flag is not that of the number that it equals.
@lru_cache(maxsize=1024, typed=True)
def derived_id(*parts: str | int) -> str:
    """Return 26 Crockford characters (130 bits) of a hash of `parts`: names, ids and numbers."""
    return content_id(*parts)


def server_source(server: str) -> str:
    """Return the `source` of a server's events: `a` -> `cordyna.server.a`."""
    return SERVER_PREFIX + server


@lru_cache(maxsize=1024)
def server_of(source: str) -> str | None:
    """Return the server of a `source`; None if the source is not a server's."""
    return source.removeprefix(SERVER_PREFIX) if source.startswith(SERVER_PREFIX) else None


def is_client(source: str) -> bool:
    """Return whether `source` is `cordyna.client` or `cordyna.client.<something>`."""
    return source == CLIENT or source.startswith(CLIENT + ".")


def run_id_of(task: str, key: str, source: str = CLIENT) -> str:
    """Return the id of the run of `task` that `key` identifies: the same key, the same run.

    Keys belong to the class of their sender: all clients share theirs, and the scheduler and each
    server have their own. So no key of one class can take the run of another.
    """
    if is_client(source):
        return derived_id("run", task, key)
    return derived_id("run-of", source, task, key)
