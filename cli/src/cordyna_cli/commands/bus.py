"""send, dev: put events on the bus, and listen to it."""

from pathlib import Path
from typing import Annotated

import typer

from cordyna_cli.input.command_context import CommandContext
from cordyna_cli.render.run.events import Conversation
from cordyna_cli.wording.format import plural
from cordyna_core.errors import NotFound


def send(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A file with one event a line, or - for stdin.")
    ],
) -> None:
    """Put raw events on the bus, one a line, as they are.

    Also invalid ones, and lines that are not UTF-8.

    The bus gives an id and a time to what has none.
    """
    call = CommandContext(ctx)
    # An empty line is no event; a line of spaces is one, though an invalid one.
    lines = [line for line in _text(call, file).split("\n") if line]
    with call.engine() as engine:
        engine.send(lines)
    call.out.print([f"{plural(len(lines), 'event')} put on the bus"])


def dev(ctx: typer.Context) -> None:
    """Stay up.

    Drive runs, fire crons, reload a server when its file changes, and show every event as it
    passes. Ctrl-C ends it.
    """
    call = CommandContext(ctx)
    talk = Conversation(call.out.width)
    with call.engine() as engine:
        servers, tasks = engine.servers(), engine.tasks()
        call.err.print(
            [f"{plural(len(tasks), 'task')} on {plural(len(servers), 'server')}; Ctrl-C ends this"]
        )
        call.out.print([talk.title()])
        for event in engine.dev():
            call.out.print([talk.line(event.text)])


def _text(call: CommandContext, file: str) -> str:
    if file == "-":
        return call.environment.stdin.read()
    try:
        # Bytes that are no UTF-8 become `\xff`, which is no JSON either: such a line passes the
        # bus, is malformed, and is buried as that.
        return (call.environment.cwd / Path(file)).read_text(
            encoding="utf-8", errors="backslashreplace"
        )
    except OSError as unreadable:
        raise NotFound(
            f"{file} cannot be read.",
            why=str(unreadable),
            next="name a file with one event a line, or - for stdin",
        ) from unreadable
