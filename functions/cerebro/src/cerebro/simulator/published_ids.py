"""Published ids: what cerebro has published, by the ids of its messages.

Invariant: a state of a task that is published again is the same message, and two of its states
have two ids, because a reader drops what it knows by its id.
"""

from typing import Final

from cordyna_core.contract.base import Message
from cordyna_core.contract.state_updates import TaskStateChanged

_CAUSE: Final = {"meta": {"cause"}}
"""What differs between two deliveries of a state: the input that published it."""


class PublishedIds:
    """The ids of all messages that cerebro published, with the states of tasks that they name."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._states: dict[str, TaskStateChanged] = {}

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._ids

    def add(self, message: Message) -> str | None:
        """Note a message. Returns what is wrong with it."""
        if message.meta is None or message.meta.id is None:
            return None
        self._ids.add(message.meta.id)
        if isinstance(message, TaskStateChanged):
            first = self._states.setdefault(message.meta.id, message)
            if first is not message and _content(first) != _content(message):
                return f"two states of {message.task} have the id {message.meta.id}"
        return None


def _content(message: TaskStateChanged) -> str:
    return message.model_dump_json(exclude=_CAUSE)
