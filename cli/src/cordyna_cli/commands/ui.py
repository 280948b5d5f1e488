"""ui, open: the web page of a cerebro."""

import getpass
import shlex
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.console import ConsoleOptions, RunningConsole, installed_console
from cordyna_cli.dev_service import Terminated, draining_on_sigterm
from cordyna_cli.engine import Engine
from cordyna_cli.input.run_selector import resolve_run_and_task
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_core.errors import UserError
from cordyna_core.paths import expand_user

Port = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=65535, help="Listen on this port. Default: from 8420 on."),
]
NoOpen = Annotated[
    bool, typer.Option("--no-open", help="Print the address on stdout; open no browser.")
]

OpenPage = Annotated[bool, typer.Option("--open", help="Also open it in the console that is up.")]

FRAGMENT_CHARACTERS_MAX: Final = 100_000
OPEN_ONCE: Final = "opens once, within a minute; `dyna open` prints another"


def ui(ctx: typer.Context, *, port: Port = None, no_open: NoOpen = False) -> ExitStatus:
    """Serve the web page of a cerebro on this machine until Ctrl-C or SIGTERM."""
    call = CommandContext(ctx)
    return _serve(call, "/", port, no_open=no_open)


def open_page(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The run to show.")] = None,
    task: Annotated[str | None, typer.Argument(metavar="TASK", help="Its task.")] = None,
    *,
    port: Port = None,
    no_open: NoOpen = False,
) -> ExitStatus:
    """Open the web page: of the console that is up, else serve it until Ctrl-C or SIGTERM."""
    call = CommandContext(ctx)
    with call.engine_without_declaring() as engine:
        path = page_of(engine, run, task)
        address_of = installed_console().find(folder_of(call, engine))
    if address_of is None:
        return _serve(call, path, port, no_open=no_open)
    _give_address(call, address_of(path), no_open=no_open)
    return ExitStatus.COMPLETED


def _serve(call: CommandContext, path: str, port: int | None, *, no_open: bool) -> ExitStatus:
    """Serve the page until Ctrl-C, SIGTERM (as a service: exit status 0) or a fault of the server.

    Raises UserError.
    """
    with (
        call.engine() as engine,
        suppress(Terminated),
        draining_on_sigterm(),
        console_of(call, engine, port) as console,
    ):
        _give_address(call, console.address(path), no_open=no_open)
        engine.stay_up(console.has_stopped)
    return ExitStatus.COMPLETED


def open_in_browser(call: CommandContext, engine: Engine, path: str, *, fragment: str = "") -> None:
    """Open `path` in the console that is up. Says what to run if no console is up."""
    if len(fragment) > FRAGMENT_CHARACTERS_MAX:
        call.err.print(["  too large for an address: paste it into the page Rehearse"])
        fragment = ""
    address_of = installed_console().find(folder_of(call, engine))
    if address_of is None:
        call.err.note(["  no console is up: `dyna ui` serves one, then `dyna open` shows this"])
    else:
        address = address_of(path) + (f"#{fragment}" if fragment else "")
        show_address(call, address, in_browser=True)


def page_of(engine: Engine, run: str | None, task: str | None) -> str:
    """The path of a run, or of its task. Raises NotFound."""
    if run is None:
        return "/"
    run_id, name = resolve_run_and_task(engine, run, task)
    if name is not None:
        engine.task_run(run_id, name)
    return f"/runs/{run_id}" if name is None else f"/runs/{run_id}/tasks/{quote(name)}"


@contextmanager
def console_of(call: CommandContext, engine: Engine, port: int | None) -> Iterator[RunningConsole]:
    """Serve the page while the block runs. Raises UserError."""
    # Servers are loaded by this thread: their host lives as long as the thread that started it.
    engine.tasks()
    console = installed_console().start(engine, options_of(call, engine, port))
    try:
        yield console
    finally:
        console.stop()


@contextmanager
def page_beside(
    call: CommandContext, engine: Engine, port: int | None, *, wanted: bool
) -> Iterator[None]:
    """Serve the page beside what the block does.

    It starts in a thread, because importing a web server takes longer than opening a home; whether
    it could be started is a line on stderr, and never ends what runs beside it.
    """
    if not wanted:
        yield
        return
    options, running = options_of(call, engine, port), list[RunningConsole]()

    def start() -> None:
        try:
            console = installed_console().start(engine, options)
        except UserError as error:
            call.environment.stderr.write(f"console  not served: {error}\n")
        else:
            running.append(console)
            show_address(call, console.address(), in_browser=False)

    thread = threading.Thread(target=start, name="console-start", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        for console in running:
            console.stop()


def options_of(call: CommandContext, engine: Engine, port: int | None) -> ConsoleOptions:
    """The options of a console for this call."""
    location = engine.location()
    return ConsoleOptions(
        engine=call.settings.engine,
        where=str(location.folder or location.name),
        place=location.place,
        command=shlex.join(["dyna", *call.flags_of_the_cloud()]),
        by=getpass.getuser(),
        folder=folder_of(call, engine),
        port=port,
    )


def folder_of(call: CommandContext, engine: Engine) -> Path:
    """Where the console's file lies: in the home, or beside the profiles for a cloud."""
    location = engine.location()
    if location.folder is not None:
        return location.folder
    environ = call.environment.environ
    config = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")) / ".config"
    name = "".join(letter if letter.isalnum() else "-" for letter in location.name)
    return expand_user(config) / "cordyna" / "consoles" / name


def _give_address(call: CommandContext, address: str, *, no_open: bool) -> None:
    """Open the address in the browser, or give it as the result. Raises ReaderLeft, Unwritable."""
    if no_open:
        call.out.print([address])
        call.err.print([OPEN_ONCE])
    else:
        show_address(call, address, in_browser=True)


def show_address(call: CommandContext, address: str, *, in_browser: bool) -> None:
    """Print where the console is; `in_browser`: also ask the desktop to open it."""
    # Lines of their own: a terminal would break a longer one inside of a word.
    call.environment.stderr.write(f"console  {address}\n         {OPEN_ONCE}\n")
    call.environment.stderr.flush()
    if in_browser:
        webbrowser.open(address)
