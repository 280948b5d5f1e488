"""Senders: the names of those who invoke tasks."""

from typing import Final

from cordyna_core.contract.ids import CLIENT, server_of
from cordyna_core.contract.views.runs import RunSummary, RunView

_NAMED_CLIENT: Final = CLIENT + "."
_CRON: Final = "cron"


def named_sender(source: str | None) -> str | None:
    """Return the name of a person or program (`cordyna.client.alice`) or of a server.

    None: a plain client, and a cron, have no name.
    """
    if source is not None and source.startswith(_NAMED_CLIENT):
        return source.removeprefix(_NAMED_CLIENT)
    return None if source is None else server_of(source)


def invoker_of(run: RunView | RunSummary) -> str | None:
    """Return the name of who invoked a run, or `cron`. None: a plain client."""
    return _CRON if run.scheduled_at is not None else named_sender(run.source)
