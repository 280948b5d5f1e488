"""Command context: what one running command needs: its settings, its engine and its two screens.

Invariant: nothing is read, opened or printed before the command asks for it.
"""

from dataclasses import replace
from functools import cached_property
from typing import cast

import typer

from cordyna_cli.engine import Engine
from cordyna_cli.engines import open_engine
from cordyna_cli.input.cli_context import CliContext
from cordyna_cli.input.environment import Environment
from cordyna_cli.input.settings import CliSettings, resolve
from cordyna_cli.output.engine_warnings import show_warnings
from cordyna_cli.output.screen import Screen
from cordyna_cli.wording.driver import START_A_DRIVER, driver_sentence, is_driven


class CommandContext:
    """Settings are resolved, and screens made, when they are first needed."""

    def __init__(self, context: typer.Context) -> None:
        self._cli = cast(CliContext, context.obj)

    @property
    def environment(self) -> Environment:
        return self._cli.environment

    @cached_property
    def settings(self) -> CliSettings:
        """Raises UserError for settings that cannot be read."""
        return resolve(self._cli.flags, self.environment)

    def flags_of_the_cloud(self) -> list[str]:
        """Return the global options that say which cerebro is meant, as they were typed."""
        flags = self._cli.flags
        names = ("home", "profile", "region", "endpoint_url", "bus")
        typed = {name: getattr(flags, name) for name in names}
        return [
            word
            for name, value in typed.items()
            if value is not None
            for word in (f"--{name.replace('_', '-')}", value)
        ]

    @cached_property
    def out(self) -> Screen:
        """For results."""
        return Screen(self.environment.stdout, self.environment.environ)

    @cached_property
    def err(self) -> Screen:
        """For progress and hints."""
        return Screen(self.environment.stderr, self.environment.environ)

    def engine(self) -> Engine:
        """Open the chosen engine, to be used in a `with`. Raises UserError."""
        return self._open(declares=True)

    def engine_to_run_tasks(self, *, in_process: bool = False) -> Engine:
        """Open the chosen engine for a command that runs tasks. Raises UserError."""
        return self._open(declares=True, in_process=in_process, runs_tasks=True)

    def engine_without_declaring(self) -> Engine:
        """Open the chosen engine with the declarations accepted so far. Raises UserError."""
        return self._open(declares=False)

    def print_driver(self, engine: Engine) -> None:
        """Say which process drives the home, or how to start one. Nothing is said of a cloud."""
        if self.settings.engine != "embedded":
            return
        driver = engine.driver()
        lines = [driver_sentence(driver, self.environment.now())]
        if not is_driven(driver):
            lines.append(f"  next: {START_A_DRIVER}")
        self.err.note(lines)

    def note_without_driver(self, engine: Engine) -> None:
        """Say how to start a process that drives runs, unless one is up."""
        if not self.is_driven(engine):
            self.print_driver(engine)

    def is_driven(self, engine: Engine) -> bool:
        """Return whether some process drives runs now. A cloud always does."""
        return self.settings.engine != "embedded" or is_driven(engine.driver())

    def _open(
        self, *, declares: bool, in_process: bool = False, runs_tasks: bool = False
    ) -> Engine:
        options = replace(
            self.settings.options,
            declares=declares,
            in_process=in_process,
            runs_tasks=runs_tasks,
        )
        show_warnings(self.err)
        return open_engine(self.settings.engine, options, self.environment.engines)
