"""Call: one command at work, with its engine, its two screens and the clock."""

from dataclasses import replace
from functools import cached_property
from typing import cast

import typer

from cordyna_core.cli.engines import open_engine
from cordyna_core.cli.environment import Environment
from cordyna_core.cli.given import Given
from cordyna_core.cli.screen import Screen
from cordyna_core.cli.settings import Settings, resolve
from cordyna_core.ports import Engine


class Call:
    """Settings are resolved, and screens made, when they are first needed."""

    def __init__(self, context: typer.Context) -> None:
        self._given = cast(Given, context.obj)

    @property
    def environment(self) -> Environment:
        return self._given.environment

    @cached_property
    def settings(self) -> Settings:
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
        return open_engine(replace(self.settings, options=replace(self.settings.options, declares=False)), self.environment)
