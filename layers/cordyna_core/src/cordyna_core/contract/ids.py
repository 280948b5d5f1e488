"""Names, sources and ids: how everything on the bus is called.

Law: an id is derived from what caused it, so whoever decides twice names the result the same.
"""

import hashlib
from typing import Annotated, Final

from pydantic import StringConstraints

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
RUN_ID_PATTERN: Final = r"^[0-9A-HJKMNP-TV-Z]{26}$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A task or a server: case-sensitive, kept as written."""

RunId = Annotated[str, StringConstraints(pattern=RUN_ID_PATTERN)]
"""26 Crockford base-32 characters (130 bits of a hash)."""

CEREBRO: Final = "cordyna.cerebro"
CLIENT: Final = "cordyna.client"
SCHEDULER: Final = "cordyna.scheduler"
SERVER_PREFIX: Final = "cordyna.server."

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# A digest byte is mapped to one character: 26 bytes in, 26 characters (5 bits of each) out.
_TO_CROCKFORD: Final = bytes(ord(_CROCKFORD[byte & 31]) for byte in range(256))


def derived_id(*parts: str | int) -> str:
    """26 Crockford characters (130 bits) of a hash of `parts`; the same parts give the same id."""
    # The unit separator cannot stand in a name, so ("a", "b") and ("ab",) never meet.
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return digest[:26].translate(_TO_CROCKFORD).decode()


def run_id_of(task: str, key: str) -> str:
    """The run that `key` names for `task`: asking again with the same key finds the same run."""
    return derived_id("run", task, key)


def server_source(server: str) -> str:
    """`task-server-a` -> `cordyna.server.task-server-a`, the `source` of its events."""
    return SERVER_PREFIX + server


def server_of(source: str) -> str | None:
    """The server that a `source` belongs to, or None when it is no server's."""
    return source.removeprefix(SERVER_PREFIX) if source.startswith(SERVER_PREFIX) else None


def is_client(source: str) -> bool:
    """Whether `source` is `cordyna.client` or `cordyna.client.<something>`."""
    return source == CLIENT or source.startswith(CLIENT + ".")
