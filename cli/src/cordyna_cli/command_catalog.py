"""Catalog: every command of `dyna`, where it is written and what it is for, so that help needs none of them imported."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """`where` is module:name, the name being a function or a Typer with commands of its own."""

    where: str
    summary: str


_COMMANDS: Final = "cordyna_cli.commands"

CATALOG: Final[dict[str, dict[str, CatalogEntry]]] = {
    "Ask": {
        "do": CatalogEntry(
            f"{_COMMANDS}.do:do", "Invoke a task with everything upstream of it, and watch it run."
        ),
        "plan": CatalogEntry(
            f"{_COMMANDS}.graph:plan",
            "What `do` would run, in which order and where; or what declaring a server would change.",
        ),
        "retry": CatalogEntry(
            f"{_COMMANDS}.retry_cancel:retry",
            "Give what failed in a run a new attempt; what completed is kept.",
        ),
        "cancel": CatalogEntry(f"{_COMMANDS}.retry_cancel:cancel", "End a run now."),
    },
    "Look at a run (the last one, unless named)": {
        "show": CatalogEntry(f"{_COMMANDS}.inspect:show", "Its tasks as a tree, and how it ended."),
        "why": CatalogEntry(
            f"{_COMMANDS}.inspect:why",
            "The one reason why it, or one of its tasks, is as it is; and what to type next.",
        ),
        "timeline": CatalogEntry(
            f"{_COMMANDS}.inspect:timeline", "When each task waited, was queued and ran."
        ),
        "events": CatalogEntry(
            f"{_COMMANDS}.inspect:events", "Who said what to whom, in the order it passed."
        ),
        "logs": CatalogEntry(f"{_COMMANDS}.inspect:logs", "What its tasks printed."),
        "replay": CatalogEntry(
            f"{_COMMANDS}.replay:replay",
            "Decide it once more from its events: would it go differently?",
        ),
        "watch": CatalogEntry(f"{_COMMANDS}.do:watch", "Follow it until it ends."),
    },
    "Look around": {
        "runs": CatalogEntry(f"{_COMMANDS}.lists:runs", "The newest runs."),
        "tasks": CatalogEntry(f"{_COMMANDS}.lists:tasks", "Every declared task."),
        "servers": CatalogEntry(f"{_COMMANDS}.lists:servers", "Every task server and its state."),
        "graph": CatalogEntry(f"{_COMMANDS}.graph:graph", "All tasks and what they depend on."),
        "cron": CatalogEntry(f"{_COMMANDS}.cron:cron", "What runs by itself, and when next."),
    },
    "Work on it": {
        "dev": CatalogEntry(
            f"{_COMMANDS}.bus:dev",
            "Stay up: drive runs, fire crons, show every event, reload servers.",
        ),
        "send": CatalogEntry(
            f"{_COMMANDS}.bus:send", "Put raw events on the bus, one a line, as they are."
        ),
    },
    "Operate": {
        "doctor": CatalogEntry(
            f"{_COMMANDS}.operate:doctor",
            "Look at everything that has to be well before a task can run.",
        ),
        "dlq": CatalogEntry(
            f"{_COMMANDS}.operate:dlq", "What could not be handled, and putting it back."
        ),
    },
}

ENTRIES: Final = {name: entry for section in CATALOG.values() for name, entry in section.items()}
