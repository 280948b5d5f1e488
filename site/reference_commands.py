"""The reference of the command line: every command with its arguments and options."""

from collections.abc import Iterator
from typing import Any

from markdown import GENERATED, code, sentences, table
from typer.main import get_command

from cordyna_cli.command_registry import COMMANDS
from cordyna_cli.input.completion import enum_of
from cordyna_cli.main import app
from cordyna_cli.output.exit_status import ExitStatus

STATUS_MEANING = {
    ExitStatus.COMPLETED: "completed, or what was asked for is shown",
    ExitStatus.ENDED_IN_ERROR: (
        "the run ended in error or was cancelled; the command was refused, for example for a "
        "parameter; or `doctor` found a problem"
    ),
    ExitStatus.USAGE: "the command line cannot be read",
    ExitStatus.NOT_FOUND: "there is no such task, run, server or file",
    ExitStatus.ACCESS: "credentials or an endpoint do not work",
    ExitStatus.SERVICE: "a service answered with an error, or cordyna itself failed",
    ExitStatus.GAVE_UP_WAITING: "`--wait` has passed",
    ExitStatus.INTERRUPTED: "interrupted",
}

_LAST_RUN = (
    "Where RUN may be left out, the last run is meant that a client invoked (a person or a "
    "program), not one that a cron or a task began."
)
_CANCELLED_IN_JSON = (
    "In JSON the `state` of a cancelled run is `error`, as in its events; `cancelled` beside it is "
    "true (in `runs --json` it is always there), the tasks that had not ended have the reason "
    "`cancelled`, and `why --json` says who cancelled it."
)


def command_line_page() -> str:
    """Return the whole page."""
    root: Any = get_command(app)
    lines = [
        "# Command line",
        "",
        GENERATED,
        "",
        "`dyna [GLOBAL OPTIONS] COMMAND ...`; global options precede the command.",
        "Results go to stdout, progress and hints to stderr.",
        _LAST_RUN,
        _CANCELLED_IN_JSON,
        "",
        "## Global options",
        "",
        *_options(root),
    ]
    for title, section in COMMANDS.items():
        lines += ["", f"## {title}"]
        for name in section:
            lines += _command(f"dyna {name}", root.get_command(None, name))
    lines += ["", "## Exit status", ""]
    lines += table(
        ("status", "meaning"),
        [(code(str(int(status))), STATUS_MEANING[status]) for status in ExitStatus],
    )
    return "\n".join(lines) + "\n"


def _command(path: str, command: Any) -> Iterator[str]:
    subcommands = getattr(command, "commands", {})
    yield from ("", f"### {path}", "")
    yield from sentences(command.help or "")
    if not subcommands or command.invoke_without_command:
        yield from ("", f"`{_usage(path, command)}`")
        options = list(_options(command))
        yield from ("", *options) if options else ()
    for name, subcommand in subcommands.items():
        yield from _command(f"{path} {name}", subcommand)


def _usage(path: str, command: Any) -> str:
    arguments = [
        _name(param) if param.required else f"[{_name(param)}]" for param in _arguments(command)
    ]
    return " ".join([path, "[OPTIONS]", *arguments])


def _arguments(command: Any) -> list[Any]:
    return [param for param in command.params if param.param_type_name == "argument"]


def _options(command: Any) -> Iterator[str]:
    rows = [(code(_name(param)), _help(param)) for param in _arguments(command)]
    rows += [
        (", ".join(code(name + _value(param)) for name in param.opts), _help(param))
        for param in command.params
        if param.param_type_name == "option" and not param.hidden
    ]
    if rows:
        yield from table(("argument or option", "meaning"), rows)


def _help(param: Any) -> str:
    return " ".join((param.help or "").split())


def _name(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _value(param: Any) -> str:
    """Return what follows an option: its metavar, its choices, or its type."""
    if param.is_flag:
        return ""
    choices = enum_of(param.type_descriptor.annotation)
    if param.metavar:
        return f" {param.metavar}"
    return f" {'|'.join(choice.value for choice in choices)}" if choices else " N"
