"""Main: reads the command line, runs one command, and returns an exit status.

Invariant: no exception escapes. Results go to stdout, everything else to stderr.
"""

import errno
import re
import shlex
import traceback
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final

import typer
from typer.exceptions import Exit, TyperException
from typer.main import get_command

from cordyna_cli.command_registry import CommandGroup, HelpRequested, load_target
from cordyna_cli.input.cli_context import CliContext, GlobalFlags
from cordyna_cli.input.environment import Environment
from cordyna_cli.output.errors import error_json, error_text, exit_status_of
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.streams import (
    ReaderLeft,
    Unwritable,
    terminal_width,
    writable_json,
    write,
)
from cordyna_cli.process import process_environment, report_without_environment
from cordyna_cli.usage_error import UsageError
from cordyna_core._version import __version__
from cordyna_core.errors import ServiceError, UserError

app = typer.Typer(
    cls=CommandGroup, add_completion=False, rich_markup_mode=None, no_args_is_help=False
)

_JSON_FLAGS: Final = frozenset({"--json", "-ojson", "--output=json"})
_JSON_FORMATS: Final = frozenset({"-ojson", "--outputjson"})
_GLOBAL_OPTIONS: Final = (
    "--server",
    "--profile",
    "--region",
    "--endpoint-url",
    "--bus",
    "--home",
    "--debug",
)


@app.callback(invoke_without_command=True)
def dyna(  # noqa: PLR0913  one argument per global option
    ctx: typer.Context,
    *,
    server: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE_OR_FILE[:NAME]", help="Run this task server here (again for more)."
        ),
    ] = None,
    home: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where the embedded engine keeps its runs.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="P", help="Use cerebro on AWS: a profile of ~/.config/cordyna, or of AWS."
        ),
    ] = None,
    region: Annotated[str | None, typer.Option(metavar="R", help="Its region.")] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(metavar="U", help="Its endpoint, for a cloud on this machine.")
    ] = None,
    bus: Annotated[str | None, typer.Option(metavar="B", help="Its event bus.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Serverless task orchestration: invoke a task, and everything upstream of it runs, in order.

    Each task runs on the server that owns it. Without an option of the cloud, tasks run here.
    """
    context: CliContext = ctx.obj
    if version:
        write(context.environment.stdout, [f"cordyna {__version__}"])
        raise typer.Exit(ExitStatus.COMPLETED)
    if ctx.invoked_subcommand is None:
        write(context.environment.stdout, [ctx.command.get_help(ctx)])
        load_target("init:print_first_step")(context.environment)
        raise typer.Exit(ExitStatus.USAGE)
    context.flags = GlobalFlags(
        servers=tuple(server or ()),
        home=home,
        profile=profile,
        region=region,
        endpoint_url=endpoint_url,
        bus=bus,
    )
    context.debug = debug


def main(environment: Environment | None = None) -> int:
    """Run `dyna` and return its exit status."""
    # Before anything else: whatever is written to stdout from now on must be ours.
    try:
        taken = environment or process_environment()
    except UserError as error:
        return report_without_environment(error)
    return int(_run_guarded(taken))


def _run_guarded(environment: Environment) -> int:
    context = CliContext(environment)
    try:
        return _run(context)
    except Exit as ended:
        return ended.exit_code
    except UserError as error:
        return _report(context, error, exit_status_of(error))
    except KeyboardInterrupt:
        environment.stderr.write("\ninterrupted\n")
        return ExitStatus.INTERRUPTED
    except ReaderLeft:
        return ExitStatus.ENDED_IN_ERROR
    except Exception as fault:  # noqa: BLE001  the outermost boundary: reported, with --debug
        return _report(context, _internal_error(fault, context), ExitStatus.SERVICE)


def _run(context: CliContext) -> int:
    command = get_command(app)
    argv = list(context.environment.argv)
    try:
        with command.make_context("dyna", argv, obj=context) as typer_context:
            status = command.invoke(typer_context)
    except HelpRequested as requested:
        write(context.environment.stdout, [str(requested)])
        return ExitStatus.COMPLETED
    except TyperException as usage:
        raise _usage_error(usage) from usage
    return int(status or ExitStatus.COMPLETED)


def _report(context: CliContext, error: UserError, status: ExitStatus) -> ExitStatus:
    environment = context.environment
    if context.debug:
        traceback.print_exc(file=environment.stderr)
    if _asks_for_json(environment.argv) and not isinstance(error, Unwritable):
        try:
            write(environment.stdout, [writable_json(error_json(error), environment.stdout)])
        except (ReaderLeft, Unwritable):
            _write_error(environment, error)
    else:
        _write_error(environment, error)
    return status


def _asks_for_json(argv: Sequence[str]) -> bool:
    """Return whether the result would be JSON: by `--json`, or by the output format of `graph`."""
    formats = (f"{option}{word}" for option, word in pairwise(argv))
    return not _JSON_FLAGS.isdisjoint(argv) or not _JSON_FORMATS.isdisjoint(formats)


def _write_error(environment: Environment, error: UserError) -> None:
    is_terminal = environment.stderr.isatty()
    colour = is_terminal and "NO_COLOR" not in environment.environ
    width = terminal_width(environment.stderr, environment.environ) if is_terminal else None
    environment.stderr.write(error_text(error, colour=colour, width=width))


def _usage_error(usage: TyperException) -> UsageError:
    context = getattr(usage, "ctx", None)
    message = usage.format_message()
    option = getattr(usage, "option_name", None)
    if option in _GLOBAL_OPTIONS and context is not None and context.parent is not None:
        return UsageError(
            f"{option} belongs before the command.",
            next=f"dyna {option} ... {context.info_name} ...",
        )
    path = "dyna" if context is None else context.command_path
    message = message.replace("Value error, ", "")
    commands = list(getattr(getattr(context, "command", None), "commands", ()))
    if message.startswith("Missing command") and commands:
        message = f"`{path}` needs a command: {', '.join(commands)}."
    if (unknown := re.match(r"No such command '(.*)'", message)) and commands:
        message = f'`{path}` has no command "{unknown[1]}", but {", ".join(commands)}.'
    return UsageError(message.strip() or "the command line cannot be read.", next=f"{path} --help")


def _internal_error(fault: Exception, context: CliContext) -> UserError:
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f": {fault.filename} cannot be written" if fault.filename else ""
        return ServiceError(
            f"a disk of this machine is full{where}.",
            next="free some space (df -h), then run the same command again",
        )
    command = shlex.join(["dyna", "--debug", *context.environment.argv])
    return UserError(
        f"cordyna itself failed: {type(fault).__name__}: {fault}",
        next="" if context.debug else f"{command}   (shows the traceback)",
    )
