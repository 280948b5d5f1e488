"""Engines: finds the engine that was chosen among those that are installed (entry points of the group `cordyna.engines`)."""

from importlib.metadata import entry_points
from typing import Final, cast

from cordyna_cli.engine import Engine
from cordyna_cli.input.environment import Environment, OpenEngine
from cordyna_cli.input.settings import CliSettings
from cordyna_core.errors import UserError

GROUP: Final = "cordyna.engines"

_DISTRIBUTION: Final = {"embedded": "cordyna-cerebro", "aws": "cordyna-cerebro[aws]"}


def open_engine(settings: CliSettings, environment: Environment) -> Engine:
    """Open the chosen engine. Raises UserError when it is not installed, and whatever UserError it raises itself."""
    opener = (
        _given(settings, environment) if environment.engines is not None else _installed(settings)
    )
    if opener is None:
        distribution = _DISTRIBUTION[settings.engine]
        raise UserError(
            f"the {settings.engine} engine is not installed.",
            why="`dyna` shows and asks; the engine that runs tasks comes with cerebro.",
            next=f"pip install '{distribution}'",
        )
    return opener(settings.options)


def _given(settings: CliSettings, environment: Environment) -> OpenEngine | None:
    return (environment.engines or {}).get(settings.engine)


def _installed(settings: CliSettings) -> OpenEngine | None:
    for entry in entry_points(group=GROUP, name=settings.engine):
        return cast(OpenEngine, entry.load())
    return None
