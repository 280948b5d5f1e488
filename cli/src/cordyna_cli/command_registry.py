"""Command registry: the table of commands, and the group that imports each one when it is used.

Invariant: `dyna --help` imports no command. A new command is a row here and a function of
`cordyna_cli.commands`.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command as build_command

from cordyna_cli.usage_error import UsageError


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """`target` is module:name below `cordyna_cli.commands`: a function, or a Typer of commands."""

    target: str
    summary: str


COMMANDS: Final[dict[str, dict[str, CommandEntry]]] = {
    "Invoke": {
        "do": CommandEntry(
            "do:do", "Invoke a task with everything upstream of it, and watch it run."
        ),
        "plan": CommandEntry(
            "graph:plan",
            "What `do` would run, in which order and where; or what declaring would change.",
        ),
        "retry": CommandEntry(
            "retry_cancel:retry", "Give failed tasks of a run a new attempt; completed ones stay."
        ),
        "cancel": CommandEntry("retry_cancel:cancel", "End a run now."),
    },
    "Look at a run (the last one by default)": {
        "show": CommandEntry(
            "inspect:show", "How it was invoked, its tasks as a tree, and how it ended."
        ),
        "why": CommandEntry(
            "inspect:why", "Why it, or one of its tasks, is as it is; and what to type next."
        ),
        "timeline": CommandEntry("inspect:timeline", "When each task waited, was queued and ran."),
        "events": CommandEntry("inspect:events", "Its events: who sent what to whom."),
        "logs": CommandEntry("logs:logs", "What its tasks printed."),
        "replay": CommandEntry(
            "replay:replay", "Decide it again from its events: would it go differently?"
        ),
        "watch": CommandEntry("do:watch", "Follow it until it ends."),
    },
    "Look around": {
        "runs": CommandEntry("lists:runs", "The newest runs."),
        "tasks": CommandEntry("lists:tasks", "Every declared task."),
        "describe": CommandEntry("describe:describe", "Everything that is declared about a task."),
        "consumers": CommandEntry("consumers:consumers", "Who uses a task, and who may."),
        "servers": CommandEntry(
            "servers:servers", "Every task server and its state; removing one."
        ),
        "incidents": CommandEntry(
            "incidents:incidents", "What needs an owner: failures, deadlines, silent servers."
        ),
        "graph": CommandEntry("graph:graph", "All tasks and what they depend on."),
        "cron": CommandEntry("cron:cron", "What runs on a schedule, and when next."),
    },
    "Develop": {
        "init": CommandEntry(
            "init:init", "Make a project: a task server with two tasks, a test, a CI workflow."
        ),
        "dev": CommandEntry(
            "bus:dev", "Stay up: drive runs, fire crons, show every event, reload servers."
        ),
        "ui": CommandEntry("ui:ui", "Serve the web page of a cerebro until Ctrl-C."),
        "open": CommandEntry("ui:open_page", "Open the web page, or a run or a task in it."),
        "send": CommandEntry("bus:send", "Put raw events on the bus, one a line, unaltered."),
    },
    "Operate": {
        "snooze": CommandEntry(
            "incidents:snooze", "Publish nothing more about an incident for some time."
        ),
        "doctor": CommandEntry(
            "operate:doctor", "Check everything that has to work before a task can run."
        ),
        "prune": CommandEntry(
            "prune:prune", "Delete runs that ended long ago, and return the space."
        ),
        "dlq": CommandEntry("operate:dlq", "Dead letters: what could not be handled, and redrive."),
        "completion": CommandEntry(
            "completion:completion", "Print the completion script of a shell."
        ),
    },
}
"""By the title of a section of the help, and by name."""

ENTRIES: Final = {name: entry for section in COMMANDS.values() for name, entry in section.items()}


_SIMILARITY_MIN: Final = 0.7
"""From 0 to 1; below it, two short words are similar by chance."""

_OTHER_WORDS: Final = {
    "do": (
        "run",
        "invoke",
        "trigger",
        "execute",
        "exec",
        "submit",
        "start",
        "backfill",
        "materialize",
    ),
    "dev": ("serve", "up", "server", "scheduler"),
    "cancel": ("stop", "kill", "abort", "terminate"),
    "retry": ("rerun", "restart", "resume", "clear"),
    "show": ("status", "view", "get", "inspect"),
    "tasks": ("list", "ls", "dags", "jobs"),
    "cron": ("schedule", "schedules", "pause", "unpause"),
    "logs": ("log", "tail"),
    "watch": ("wait", "follow"),
    "init": ("new", "create"),
    "open": ("web", "webserver", "browser"),
    "runs": ("ps", "history"),
    "graph": ("lineage", "dag"),
    "doctor": ("check", "health", "info"),
}
"""What other tools call a command."""


class HelpRequested(Exception):
    """Carries the help text: typer would write it to the process's stdout, which is not ours."""


class _Context(typer.Context):
    def get_help(self) -> str:
        raise HelpRequested(super().get_help())


class CommandGroup(TyperGroup):
    """All commands of the table.

    The arguments are typed Any because typer keeps their types (its own copy of click) to itself.
    """

    context_class = _Context

    def list_commands(self, ctx: Any) -> list[str]:
        return list(ENTRIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = ENTRIES.get(cmd_name)
        return None if entry is None else _load(cmd_name, entry)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in ENTRIES:
            raise UsageError(f'there is no command "{args[0]}".', next=_near_command(args[0]))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(len(name) for name in ENTRIES)
        for title, section in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(width), entry.summary) for name, entry in section.items()]
                )


def _near_command(word: str) -> str:
    """Return what to do next about a word that is not a command."""
    names = {other: name for name, others in _OTHER_WORDS.items() for other in others}
    names |= {name: name for name in ENTRIES}
    near = get_close_matches(word, names, n=1, cutoff=_SIMILARITY_MIN)
    return (
        f"did you mean `dyna {names[near[0]]}`? `dyna --help` lists all" if near else "dyna --help"
    )


def load_target(target: str) -> Any:
    """Return the function or Typer that `target` (module:name) names."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(f"cordyna_cli.commands.{module}"), attribute)


def _load(name: str, entry: CommandEntry) -> Any:
    target = load_target(entry.target)
    if isinstance(target, typer.Typer):
        app = target
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(target)
    command = build_command(app)
    for subcommand in (command, *getattr(command, "commands", {}).values()):
        subcommand.context_class = _Context
    return command
