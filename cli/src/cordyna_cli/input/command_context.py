"""Call: one command at work, with its engine, its two screens and the clock."""

from dataclasses import replace
from functools import cached_property
from typing import cast

import typer

from cordyna_cli.client import open_engine
from cordyna_cli.engine import Engine
from cordyna_cli.input.cli_context import CliContext
from cordyna_cli.input.environment import Environment
from cordyna_cli.input.settings import CliSettings, resolve
from cordyna_cli.output.screen import Screen


class CommandContext:
    """Settings are resolved, and screens made, when they are first needed."""

    def __init__(self, context: typer.Context) -> None:
        self._given = cast(CliContext, context.obj)

    @property
    def environment(self) -> Environment:
        return self._given.environment

    @cached_property
    def settings(self) -> CliSettings:
        return resolve(self._given.flags, self.environment)

    @cached_property
    def out(self) -> Screen:
        """For results."""
        return Screen(self.environment.stdout, self.environment.environ)

    @cached_property
    def err(self) -> Screen:
        """For progress."""
        return Screen(self.environment.stderr, self.environment.environ)

    def engine(self) -> Engine:
        """The chosen engine, to be used in a `with`."""
        return open_engine(self.settings, self.environment)

    def engine_as_it_is(self) -> Engine:
        """The chosen engine with what has been declared so far: opening it declares nothing."""
        return open_engine(
            replace(self.settings, options=replace(self.settings.options, declares=False)),
            self.environment,
        )
