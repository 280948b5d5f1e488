"""Replies: how a client finds cerebro's answer to its command among the events of a home.

Invariant: an event is read once.
"""

from cerebro.embedded.storage.event_log import EventLog
from cordyna_cli.engine import Refused
from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import open_envelope
from cordyna_core.contract.incidents import IncidentChanged
from cordyna_core.contract.state_updates import (
    DeclarationIgnored,
    InvocationRejected,
    RunStateChanged,
    ServerRemoved,
)


class ReplyFinder:
    """Looks for the reply to a command among the events that have passed since the last call."""

    def __init__(self, event_log: EventLog, event_id: str, after: int) -> None:
        self._event_log, self._event_id, self._after = event_log, event_id, after

    def __call__(self) -> Refused | bool | None:
        for passed in self._event_log.events(None, self._after):
            self._after = passed.seq
            if self._event_id in passed.text:
                reply = parse_reply(passed.text, self._event_id)
                if reply is not None:
                    return reply
        return None


def parse_reply(text: str, event_id: str) -> Refused | bool | None:
    """Return the reply to command `event_id` that an event is: refused, or True; None: no reply."""
    message = open_envelope(text).message
    if isinstance(message, InvocationRejected) and message.event_id == event_id:
        return Refused(message.task, tuple(message.problems))
    if message.meta is None or message.meta.cause != event_id:
        return None
    match message:
        case RunStateChanged() | ServerRemoved() | IncidentChanged():
            return True
        case DeclarationIgnored(server=server, accepted_revision=revision):
            text = f"{server} has declared revision {revision} meanwhile"
            return Refused(server, (Problem(code="newer_revision", message=text),))
        case _:
            return None
