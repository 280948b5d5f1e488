"""Not loaded: tell on stderr which of the named servers failed to load, beside any list of tasks.

Invariant: a list of what is declared is never shown as complete while a server of it is missing.
"""

from cordyna_cli.command_context import CommandContext
from cordyna_cli.engine import Engine
from cordyna_cli.render.lists import runs_earlier_code
from cordyna_cli.wording.foreign_text import NEXT_LINE, one_line


def warn_of_earlier_code(call: CommandContext, engine: Engine) -> None:
    """Print each server of this machine that runs earlier code: its files fail to load."""
    if call.settings.engine != "embedded":
        return
    for info in filter(runs_earlier_code, engine.servers()):
        what = one_line((info.problem or "").partition("\n")[0])
        call.err.note(
            [
                f"{info.server} runs its earlier code, because its files failed to load: {what}",
                "  next: fix it; dyna dev loads the files when they are saved",
            ]
        )


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
