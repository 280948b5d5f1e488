"""Plain secrets: what enters a home has none, wherever a declared task takes a secret.

Invariant: a message is changed before it is stored anywhere, in the inbox, the events or the dead
letters. Only what is changed is another object.
"""

from typing import TypeVar

from cerebro.core.planning.redaction import kept_event, may_have_params, redacted_event
from cerebro.ports import Store

Item = TypeVar("Item")


def without_plain_secrets(item: Item, store: Store) -> Item:
    """Return what is handled and kept of an event now; any other message unchanged."""
    if not isinstance(item, str) or not may_have_params(item):
        return item
    return kept_event(item, store.read_graph())  # type: ignore[return-value]  # a str, too


def without_plain_secrets_yet(event: str, store: Store) -> str:
    """Return an event that is handled later, perhaps with another graph."""
    return redacted_event(event, store.read_graph()) if may_have_params(event) else event
