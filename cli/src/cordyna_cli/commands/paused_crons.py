"""Paused crons: which tasks rest, for the commands that say when a cron fires next.

Invariant: no command shows a next time of a cron that is known to be paused.
"""

from cordyna_cli.command_context import CommandContext
from cordyna_cli.engine import Engine
from cordyna_core.errors import AccessError


def paused_tasks(call: CommandContext, engine: Engine) -> frozenset[str]:
    """The tasks whose cron is paused; if that may not be read, none, and a note on stderr."""
    operations = getattr(engine, "operations", None)
    try:
        return frozenset() if operations is None else frozenset(operations.paused())
    except AccessError:
        call.err.note(["paused crons are not marked: these credentials may not read the schedules"])
        return frozenset()
