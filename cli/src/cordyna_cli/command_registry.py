"""Group: the commands of the catalog as one command line, each imported when it is used."""

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command as built

from cordyna_cli.command_catalog import CATALOG, ENTRIES, CatalogEntry
from cordyna_cli.output.errors import Misuse


class HelpWanted(Exception):
    """Carries the text: typer itself would write it to the process's stdout, which is not ours."""


class _Context(typer.Context):
    def get_help(self) -> str:
        raise HelpWanted(super().get_help())


class CatalogGroup(TyperGroup):
    """Answers for every command of the catalog.

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
            near = get_close_matches(args[0], ENTRIES, n=1)
            raise Misuse(
                f'there is no command "{args[0]}".',
                next=f"dyna {near[0]}" if near else "dyna --help",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(len(name) for name in ENTRIES)
        for title, section in CATALOG.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(width), entry.summary) for name, entry in section.items()]
                )


def _load(name: str, entry: CatalogEntry) -> Any:
    module, _, attribute = entry.where.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        app = found
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(found)
    command = built(app)
    for each in (command, *getattr(command, "commands", {}).values()):
        each.context_class = _Context
    return command
