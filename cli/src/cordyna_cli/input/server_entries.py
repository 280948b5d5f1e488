"""Server entries: the servers of a settings file, each a target or a table with options.

Invariant: paths are relative to the file, and absolute afterwards.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from cordyna_cli.engine import ServerOptions

EXEC_PREFIX: Final = "exec:"
CONCURRENCY_MAX: Final = 1000
ISOLATIONS: Final = ("auto", "fork", "spawn")

_EXAMPLE: Final = '["shop.py", {target = "exec:node server.mjs", concurrency = 4}]'


@dataclass(frozen=True, slots=True)
class ConfiguredServer:
    """One entry: its target, and its options if it is a table."""

    target: str
    options: ServerOptions | None = None


def entry_problems(value: Any) -> Iterator[str]:
    """Yield why `servers` of a settings file is not valid."""
    if not isinstance(value, list):
        yield f"`servers` is a list, for example {_EXAMPLE}"
        return
    for entry in value:
        if isinstance(entry, str):
            continue
        if not isinstance(entry, dict):
            yield f"an entry of `servers` is a text or a table, for example {_EXAMPLE}"
        else:
            yield from _table_problems(entry)


def _table_problems(entry: Mapping[str, Any]) -> Iterator[str]:
    if "target" not in entry:
        yield f"an entry of `servers` has a `target`, for example {_EXAMPLE}"
    for name, value in entry.items():
        option = OPTIONS.get(name)
        if option is None:
            near = get_close_matches(name, OPTIONS, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(OPTIONS)}"
            yield f"a server has no option `{name}`: {hint}"
        elif not option.is_valid(value):
            yield f"`{name}` of a server is {option.meaning}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_concurrency(value: Any) -> bool:
    return type(value) is int and 1 <= value <= CONCURRENCY_MAX


def _is_table_of_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


@dataclass(frozen=True, slots=True)
class _Option:
    is_valid: Callable[[Any], bool]
    meaning: str


OPTIONS: Final = {
    "target": _Option(_is_text, "a text"),
    "concurrency": _Option(_is_concurrency, f"a whole number from 1 to {CONCURRENCY_MAX}"),
    "python": _Option(_is_text, "a text"),
    "cwd": _Option(_is_text, "a text"),
    "env": _Option(_is_table_of_texts, 'a table of texts, for example {TZ = "UTC"}'),
    "isolation": _Option(ISOLATIONS.__contains__, f"one of {', '.join(ISOLATIONS)}"),
}


def read_entries(value: Sequence[Any], directory: Path) -> list[ConfiguredServer]:
    """Return the entries of a valid `servers`, their paths made absolute."""
    return [_entry(entry, directory) for entry in value]


def _entry(entry: str | Mapping[str, Any], directory: Path) -> ConfiguredServer:
    if isinstance(entry, str):
        # A command finds its files in the folder of the settings, as a Python file does.
        options = ServerOptions(cwd=str(directory)) if entry.startswith(EXEC_PREFIX) else None
        return ConfiguredServer(absolute_target(entry, directory), options)
    target, cwd, python = entry["target"], entry.get("cwd"), entry.get("python")
    folder = directory / cwd if cwd is not None else None
    if folder is None and target.startswith(EXEC_PREFIX):
        folder = directory
    return ConfiguredServer(
        absolute_target(target, directory),
        ServerOptions(
            concurrency=entry.get("concurrency"),
            python=_absolute_command(python, directory) if python is not None else None,
            cwd=str(folder) if folder is not None else None,
            env=tuple(sorted(entry.get("env", {}).items())),
            isolation=entry.get("isolation", "auto"),
        ),
    )


def absolute_target(target: str, directory: Path) -> str:
    """Return a file as an absolute path; modules and commands as they are."""
    return str(directory / target) if is_path(target) else target


def is_path(target: str) -> bool:
    """`my.py`, `servers/my.py:server` are files; `my.server:server` is a module."""
    if target.startswith(EXEC_PREFIX):
        return False
    return "/" in target or "\\" in target or target.partition(":")[0].endswith(".py")


def _absolute_command(command: str, directory: Path) -> str:
    """`.venv/bin/python` is a path; `python3.12` is looked up in PATH."""
    return str(directory / command) if "/" in command else command
