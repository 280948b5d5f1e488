"""Not loaded: tell on stderr which of the named servers failed to load, beside any list of tasks.

Invariant: a list of what is declared is never shown as complete while a server of it is missing.
"""

from cordyna_cli.command_context import CommandContext
from cordyna_cli.engine import Engine
from cordyna_cli.wording.foreign_text import NEXT_LINE, one_line


def note_servers_not_loaded(call: CommandContext, engine: Engine) -> bool:
    """Print each server of this machine that failed to load. Returns whether there was any."""
    if call.settings.engine != "embedded":
        return False
    failed = [info for info in engine.servers() if info.state == "not_loaded"]
    for info in failed:
        problem, _, step = (info.problem or "").partition(NEXT_LINE)
        what, *why = map(one_line, problem.splitlines() or [""])
        call.err.note([f"{info.server} failed to load: {what}", *(f"  {line}" for line in why)])
        call.err.note([f"  next: {one_line(step) or 'fix it, then dyna servers'}"])
    return bool(failed)
