"""Engines: opens one of the engines that are installed (entry points of `cordyna.engines`)."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Final, Literal, cast

from cordyna_cli.engine import Engine, EngineOptions, OpenEngine
from cordyna_core.errors import UserError

EngineName = Literal["embedded", "aws"]

ENTRY_POINT_GROUP: Final = "cordyna.engines"

_WHAT_TO_INSTALL: Final[Mapping[EngineName, str]] = {
    "embedded": "cordyna-cerebro",
    "aws": "cordyna-cli[aws]",
}


def open_engine(
    name: EngineName,
    options: EngineOptions,
    engines: Mapping[str, OpenEngine] | None = None,
) -> Engine:
    """Open the engine called `name`: one of `engines`, or without them the installed one.

    Raises UserError if it, or a package that it needs, is not installed; and what it raises itself.
    """
    opener = _installed(name) if engines is None else engines.get(name)
    if opener is None:
        raise _not_installed(name, f"no installed package provides an engine called {name}")
    return opener(options)


def _installed(name: EngineName) -> OpenEngine | None:
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
        try:
            return cast(OpenEngine, entry.load())
        except ModuleNotFoundError as missing:
            raise _not_installed(name, f"it needs the package {missing.name}") from missing
    return None


def _not_installed(name: EngineName, why: str) -> UserError:
    return UserError(
        f"the {name} engine is not installed.",
        why=why,
        next=f"pip install '{_WHAT_TO_INSTALL[name]}'",
    )
