"""Access: which servers may depend on a task, and which senders may invoke it.

Invariant: the own server always may, and so do the scheduler and clients without a name (people).
Entries are names of servers, to which IAM binds a `source`; `client.<name>` is a named client.
"""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import StringConstraints

from cordyna_core.contract.ids import CLIENT, server_of

CLIENT_PREFIX: Final = "client."
"""Of an entry of `invokers` that names a client."""

SERVER_ENTRY_PATTERN: Final = r"^([A-Za-z0-9][A-Za-z0-9._-]{0,127}\*?|\*)$"
ENTRY_RULE: Final = "a name, or the beginning of names followed by `*`"

AccessEntry = Annotated[str, StringConstraints(pattern=SERVER_ENTRY_PATTERN)]
"""The name of a server, or the beginning of names and `*`."""

MAX_ENTRIES: Final = 1000


def is_listed(name: str, entries: Sequence[str]) -> bool:
    """Return whether an entry is this name, or the beginning of it followed by `*`."""
    return any(
        name.startswith(entry[:-1]) if entry.endswith("*") else name == entry for entry in entries
    )


def may_consume(server: str, owner: str, consumers: Sequence[str] | None) -> bool:
    """Return whether a task of `server` may depend on a task of `owner`. None: every server may."""
    return consumers is None or server == owner or is_listed(server, consumers)


def may_invoke(source: str, owner: str, invokers: Sequence[str] | None) -> bool:
    """Return whether a sender may invoke a task of `owner`. None: every sender may."""
    if invokers is None:
        return True
    server = server_of(source)
    if server is not None:
        servers = [entry for entry in invokers if not entry.startswith(CLIENT_PREFIX)]
        return server == owner or is_listed(server, servers)
    if source.startswith(CLIENT + "."):
        clients = [
            entry.removeprefix(CLIENT_PREFIX) if entry.startswith(CLIENT_PREFIX) else entry
            for entry in invokers
            if entry.startswith(CLIENT_PREFIX) or entry == "*"
        ]
        return is_listed(source.removeprefix(CLIENT + "."), clients)
    return True
