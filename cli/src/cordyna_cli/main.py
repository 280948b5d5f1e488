"""Main: reads the command line, runs one command, and turns whatever happens into words and an exit status.

Law: nothing escapes from here. Results go to stdout, everything else to stderr.
"""

import shlex
import traceback
from typing import Annotated, Final

import typer
from typer.exceptions import Exit, TyperException
from typer.main import get_command

from cordyna_cli.command_registry import CatalogGroup, HelpWanted
from cordyna_cli.input.cli_context import CliContext, GlobalFlags
from cordyna_cli.input.environment import Environment, of_this_process
from cordyna_cli.output.errors import Misuse, error_json, error_text, status_of
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.streams import ReaderLeft, Unwritable, writable_json, write
from cordyna_core._version import __version__
from cordyna_core.errors import UserError

app = typer.Typer(
    cls=CatalogGroup, add_completion=False, rich_markup_mode=None, no_args_is_help=False
)

_GLOBAL: Final = (
    "--server",
    "--profile",
    "--region",
    "--endpoint-url",
    "--bus",
    "--home",
    "--debug",
)


@app.callback(invoke_without_command=True)
def dyna(
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
            metavar="P", help="Ask cerebro on AWS: a profile of ~/.config/cordyna, or of AWS."
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
    """Serverless task orchestration: ask for a task, and its whole upstream runs, in order, on the servers that own it.

    Without an option of the cloud, tasks run here, on this machine.
    """
    given: CliContext = ctx.obj
    if version:
        write(given.environment.stdout, [f"cordyna {__version__}"])
        raise typer.Exit(ExitStatus.COMPLETED)
    if ctx.invoked_subcommand is None:
        write(given.environment.stdout, [ctx.command.get_help(ctx)])
        raise typer.Exit(ExitStatus.USAGE)
    given.flags = GlobalFlags(
        servers=tuple(server or ()),
        home=home,
        profile=profile,
        region=region,
        endpoint_url=endpoint_url,
        bus=bus,
    )
    given.debug = debug


def main(environment: Environment | None = None) -> int:
    """The entry of `dyna` and `cordyna`. Answers the exit status."""
    # First of all: nobody writes to stdout before it is ours.
    return int(_guarded(environment or of_this_process()))


def _guarded(environment: Environment) -> int:
    given = CliContext(environment)
    try:
        return _run(given)
    except Exit as over:
        return over.exit_code
    except UserError as error:
        return _complain(given, error, status_of(error))
    except KeyboardInterrupt:
        environment.stderr.write("\ninterrupted\n")
        return ExitStatus.INTERRUPTED
    except ReaderLeft:
        return ExitStatus.ENDED_IN_ERROR
    except Exception as fault:
        return _complain(given, _our_fault(fault, given), ExitStatus.SERVICE)


def _run(given: CliContext) -> int:
    command = get_command(app)
    try:
        with command.make_context("dyna", list(given.environment.argv), obj=given) as context:
            status = command.invoke(context)
    except HelpWanted as wanted:
        write(given.environment.stdout, [str(wanted)])
        return ExitStatus.COMPLETED
    except TyperException as usage:
        raise _in_our_words(usage) from usage
    return int(status or ExitStatus.COMPLETED)


def _complain(given: CliContext, error: UserError, status: ExitStatus) -> ExitStatus:
    environment = given.environment
    if given.debug:
        traceback.print_exc(file=environment.stderr)
    if "--json" in environment.argv and not isinstance(error, Unwritable):
        try:
            write(environment.stdout, [writable_json(error_json(error), environment.stdout)])
        except (ReaderLeft, Unwritable):
            _tell(environment, error)
    else:
        _tell(environment, error)
    return status


def _tell(environment: Environment, error: UserError) -> None:
    environment.stderr.write(
        error_text(
            error, colour=environment.stderr.isatty() and "NO_COLOR" not in environment.environ
        )
    )


def _in_our_words(usage: TyperException) -> Misuse:
    context = getattr(usage, "ctx", None)
    message = usage.format_message()
    option = getattr(usage, "option_name", None)
    if option in _GLOBAL and context is not None and context.parent is not None:
        return Misuse(
            f"{option} stands before the command.",
            next=f"dyna {option} ... {context.info_name} ...",
        )
    path = "dyna" if context is None else context.command_path
    return Misuse(message.strip() or "that is not how it is used.", next=f"{path} --help")


def _our_fault(fault: Exception, given: CliContext) -> UserError:
    message = f"cordyna itself failed: {type(fault).__name__}: {fault}"
    again = shlex.join(["dyna", "--debug", *given.environment.argv])
    return UserError(message, next="" if given.debug else f"{again}   (shows the traceback)")
