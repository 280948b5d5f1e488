"""Plain secrets: what enters a home has none, wherever a declared task takes a secret.

Invariant: a message is changed before it is stored anywhere, in the inbox, the events or the dead
letters. Only what is changed is another object.
"""

from typing import TypeVar

from cerebro.core.planning.redaction import is_invocation, redacted_event
from cerebro.ports import Store

Item = TypeVar("Item")


def without_plain_secrets(item: Item, store: Store) -> Item:
    """Return an event without plain secrets; any other message unchanged."""
    if not isinstance(item, str) or not is_invocation(item):
        return item
    return redacted_event(item, store.read_graph())  # type: ignore[return-value]  # a str, too
