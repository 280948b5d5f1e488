"""send, dev: put events on the bus, and watch it.

Invariant: `send` judges no event: its receiver decides whether it is valid, and answers.
"""

import logging
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.ui import Port, page_beside
from cordyna_cli.dev_service import (
    Terminated,
    drain_engine,
    draining_on_sigterm,
    ending_at_once,
    health_check,
    last_turn_s,
    logging_to,
)
from cordyna_cli.engine import Engine
from cordyna_cli.input.parse_time import parse_seconds
from cordyna_cli.output.json_output import event_json, object_json
from cordyna_cli.render.dev import DevLines, ready_line
from cordyna_cli.wording.driver import driver_sentence, is_driven
from cordyna_cli.wording.format import plural
from cordyna_core.contract.views.runs import LogLine, PassedEvent
from cordyna_core.errors import NotFound

_log = logging.getLogger("cordyna")


class LogFormat(StrEnum):
    """How `dyna dev` writes events and log records."""

    text = "text"
    json = "json"


def send(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A file with one event a line, or - for stdin.")
    ],
) -> None:
    """Put raw events on the bus, one a line, unaltered, also invalid ones and lines not in UTF-8.

    The bus gives an id and a time to events without them. Runs that no other process drives are
    driven until they end.
    """
    call = CommandContext(ctx)
    # An empty line is not an event; a line of spaces is one, though an invalid one.
    lines = [line for line in _read_text(call, file).split("\n") if line]
    with call.engine() as engine:
        engine.send(lines)
        call.out.print([f"{plural(len(lines), 'event')} put on the bus"])
        driven = engine.driven_runs()
        if driven:
            call.err.note(_waiting_lines(driven))
            engine.stay_up(lambda: not engine.driven_runs())
        else:
            call.note_without_driver(engine)


def _waiting_lines(runs: Sequence[str]) -> list[str]:
    verb, ends = ("is", "it ends") if len(runs) == 1 else ("are", "they end")
    return [
        f"{plural(len(runs), 'run')} {verb} active; this process drives until {ends}",
        f"  next: dyna watch {runs[-1]}; Ctrl-C leaves it to the next process (dyna dev)",
    ]


def dev(
    ctx: typer.Context,
    *,
    port: Port = None,
    no_page: Annotated[bool, typer.Option("--no-page", help="Do not serve the web page.")] = False,
    drain: Annotated[
        str,
        typer.Option(metavar="SPAN", help="After SIGTERM, let running tasks end for so long."),
    ] = "30s",
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="json: one JSON object a line.")
    ] = LogFormat.text,
    health: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=1, max=65535, help="Answer GET /health on 127.0.0.1:PORT."
        ),
    ] = None,
) -> None:
    """Stay up: drive runs, fire crons, show events, and reload servers when their files change.

    The files of a server are the Python files of its folder, so servers of one folder are reloaded
    together. Serves the web page beside it, if it is installed. Beside another process that drives
    the home, it shows events, and takes over when that one ends. Ctrl-C ends it. As a service:
    SIGTERM starts nothing more, waits for what runs, and exits with 0; a second SIGTERM ends at
    once.
    """
    call = CommandContext(ctx)
    drain_s = parse_seconds(drain)
    view = _DevView(call, as_json=log_format is LogFormat.json)
    with (
        logging_to(call.environment.stderr, as_json=view.as_json, width=call.err.width),
        call.engine_to_run_tasks() as engine,
        health_check(health, lambda: last_turn_s(engine)),
    ):
        try:
            with draining_on_sigterm():
                # Servers are loaded before the page is served.
                view.begin(engine)
                with page_beside(call, engine, port, wanted=not no_page):
                    for item in engine.dev():
                        view.show(item)
        except Terminated:
            with ending_at_once():
                drain_engine(engine, drain_s, view.show)
        except KeyboardInterrupt:
            if active := len(engine.driven_runs()):
                call.err.note(["", _ending_line(active)])
            raise


class _DevView:
    """Every event and every printed line, as it passes, on stdout."""

    def __init__(self, call: CommandContext, *, as_json: bool) -> None:
        self._call, self.as_json = call, as_json
        self._lines = DevLines(call.out.width)

    def begin(self, engine: Engine) -> None:
        """Say what is served."""
        tasks, servers = engine.tasks(), engine.servers()
        self._lines = DevLines(self._call.out.width, {info.server: info.tasks for info in servers})
        if not self.as_json:
            self._call.err.note([ready_line([info.server for info in servers], len(tasks))])
        if not engine.drives and is_driven(driver := engine.driver()):
            sentence = driver_sentence(driver, self._call.environment.now())
            _log.info("%s; this process takes over when it ends", sentence)

    def show(self, item: PassedEvent | LogLine) -> None:
        """Print one item. Raises ReaderLeft, Unwritable."""
        out = self._call.out
        if not self.as_json:
            self._lines.width = out.width
            out.print(self._lines.lines(item))
        elif isinstance(item, LogLine):
            out.print_json(object_json(item))
        else:
            out.print_json(event_json(item.text))


def _ending_line(runs: int) -> str:
    verb = "continues" if runs == 1 else "continue"
    return (
        f"ending what runs; {plural(runs, 'active run')} {verb} with the next dyna dev"
        " (Ctrl-C again ends at once)"
    )


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
            why=unreadable.strerror or "",
            next="name a file with one event a line, or - for stdin",
        ) from unreadable
