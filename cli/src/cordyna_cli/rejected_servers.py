"""Rejected servers: the servers whose declarations cerebro has just rejected, with the problem.

Invariant: a rejected server keeps what it had declared before; nothing else says that it failed.
"""

from collections.abc import Sequence

from cordyna_cli.engine import Engine
from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.state_updates import DeclarationRejected
from cordyna_core.contract.views.graph import ServerInfo


def with_rejected(engine: Engine, problems: Sequence[Problem]) -> list[ServerInfo]:
    """Return the servers of `engine`, those rejected for `problems` with their first one.

    Raises UserError.
    """
    rejections = _rejections(engine, {problem.message for problem in problems})
    known = {info.server: info for info in engine.servers()}
    for server, problem in rejections.items():
        info = known.get(server) or ServerInfo(server=server, state="rejected", tasks=0, revision=0)
        known[server] = info.model_copy(update={"state": "rejected", "problem": problem})
    return [known[server] for server in sorted(known)]


def _rejections(engine: Engine, messages: set[str]) -> dict[str, str]:
    """By server the first problem of its last rejection, newest events first."""
    first_problems: dict[str, str] = {}
    missing = set(messages)
    for event in reversed(engine.events()):
        if not missing:
            break
        if DeclarationRejected.__name__ not in event.text:
            continue
        try:
            message = open_envelope(event.text).message
        except MalformedEvent:
            continue
        if isinstance(message, DeclarationRejected) and message.server not in first_problems:
            own = {problem.message for problem in message.problems}
            if own <= messages:
                first_problems[message.server] = message.problems[0].message
                missing -= own
    return first_problems
