"""send, dev: put events on the bus, and watch it."""

from pathlib import Path
from typing import Annotated

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.ui import Port, page_beside
from cordyna_cli.render.run.events import EventStream
from cordyna_cli.wording.format import plural
from cordyna_core.errors import NotFound


def send(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A file with one event a line, or - for stdin.")
    ],
) -> None:
    """Put raw events on the bus, one a line, unaltered, also invalid ones and lines not in UTF-8.

    The bus gives an id and a time to events without them.
    """
    call = CommandContext(ctx)
    # An empty line is not an event; a line of spaces is one, though an invalid one.
    lines = [line for line in _read_text(call, file).split("\n") if line]
    with call.engine() as engine:
        engine.send(lines)
    call.out.print([f"{plural(len(lines), 'event')} put on the bus"])


def dev(
    ctx: typer.Context,
    *,
    port: Port = None,
    no_page: Annotated[bool, typer.Option("--no-page", help="Do not serve the web page.")] = False,
) -> None:
    """Stay up: drive runs, fire crons, show every event, and reload a server when its file changes.

    Serves the web page beside it, if it is installed. Ctrl-C ends it.
    """
    call = CommandContext(ctx)
    stream = EventStream(call.out.width)
    with call.engine() as engine:
        # Servers are loaded by this thread: their host lives as long as the thread that started it.
        tasks = plural(len(engine.tasks()), "task")
        servers = plural(len(engine.servers()), "server")
        call.err.print([f"{tasks} on {servers}; Ctrl-C ends this"])
        with page_beside(call, engine, port, wanted=not no_page):
            call.out.print([stream.title()])
            for event in engine.dev():
                call.out.print([stream.line(event.text)])


def _read_text(call: CommandContext, file: str) -> str:
    if file == "-":
        return call.environment.stdin.read()
    path = call.environment.cwd / Path(file)
    try:
        # A byte that is not UTF-8 becomes `\xff`, which is not JSON either: the event passes the
        # bus, and becomes a dead letter as malformed.
        return path.read_text(encoding="utf-8", errors="backslashreplace")
    except OSError as unreadable:
        raise NotFound(
            f"{file} cannot be read.",
            why=str(unreadable),
            next="name a file with one event a line, or - for stdin",
        ) from unreadable
