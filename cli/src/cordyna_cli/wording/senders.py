"""Senders: the names of those who invoke tasks."""

from typing import Final

from cordyna_core.contract.ids import CLIENT, server_of

_NAMED_CLIENT: Final = CLIENT + "."


def named_sender(source: str | None) -> str | None:
    """Return the name of a person or program (`cordyna.client.alice`) or of a server.

    None: a plain client, and a cron, have no name.
    """
    if source is not None and source.startswith(_NAMED_CLIENT):
        return source.removeprefix(_NAMED_CLIENT)
    return None if source is None else server_of(source)
