"""Sizes: lets a small world take the paths that only large ones take.

Invariant: a page of 4 task runs, a fan-out of 3 tasks and a fan-in of 3 run the very code that 256,
250 and 100 run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from cerebro.adapters import memory
from cerebro.core import model
from cerebro.core.planning import planner
from cerebro.core.run import dispatch, overdue_check, page_check


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is of what is divided.

    Task runs a page, downstream tasks a fan-out message, upstreams awaited at most, commands that
    leave together, decisions an overdue check.
    """

    page: int = model.PAGE_SIZE
    fan_out: int = dispatch.FAN_OUT_WIDTH
    awaited: int = planner.MAX_AWAITED
    commands: int = dispatch.COMMANDS_PER_GROUP
    decisions: int = overdue_check.DECISIONS_PER_CHECK

    def set(self) -> None:
        """Use these sizes in this process."""
        for module, name, value in (
            (model, "PAGE_SIZE", self.page),
            (memory, "PAGE_SIZE", self.page),
            (dispatch, "FAN_OUT_WIDTH", self.fan_out),
            (page_check, "FAN_OUT_WIDTH", self.fan_out),
            (planner, "MAX_AWAITED", self.awaited),
            (dispatch, "COMMANDS_PER_GROUP", self.commands),
            (overdue_check, "COMMANDS_PER_GROUP", self.commands),
            (overdue_check, "DECISIONS_PER_CHECK", self.decisions),
        ):
            setattr(module, name, value)


REAL: Final = Sizes()


@contextmanager
def sizes(chosen: Sizes) -> Iterator[None]:
    """Use other sizes for the length of a block."""
    chosen.set()
    try:
        yield
    finally:
        REAL.set()
