"""init: make a project with one task server."""

from typing import Annotated, Final

import typer
from rich.text import Text

from cordyna_cli.command_context import CommandContext
from cordyna_cli.input.cli_context import GlobalFlags
from cordyna_cli.input.environment import Environment
from cordyna_cli.input.new_project import FILES, project_name, write_project
from cordyna_cli.input.settings import resolve
from cordyna_cli.output.streams import write
from cordyna_cli.render.layout.table import Column, aligned

_FILES: Final = (Column(yields=1), Column(yields=2, prose="wrap"))


def init(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Of the server and of its new folder. Default: this folder and its name.",
        ),
    ] = None,
) -> None:
    """Make a project: a task server with two tasks, a test, and a workflow for CI.

    Nothing is overwritten.
    """
    call = CommandContext(ctx)
    cwd = call.environment.cwd
    server = project_name(name, cwd)
    write_project(cwd if name is None else cwd / server, server, is_new=name is not None)
    before = "" if name is None else f"{server}/"
    call.out.print(
        [Text.assemble(("✓", "green"), f" the task server {server}, in {len(FILES)} files")]
    )
    rows = [(f"  {before}{file.path}", file.purpose) for file in FILES]
    call.out.print(aligned(_FILES, rows, call.out.width))
    enter = "" if name is None else f"cd {server}; "
    call.err.note([f"  next: {enter}dyna do {server}.report"])


def print_first_step(environment: Environment) -> None:
    """Say on stderr what to type where no server and no cloud is configured."""
    settings = resolve(GlobalFlags(), environment)
    if settings.engine == "embedded" and not settings.options.servers:
        lines = ["", "no project is in this folder or above it", "  next: dyna init my-server"]
        write(environment.stderr, lines)
