"""Sizes: lets a small world take the paths that only large ones take.

Invariant: a page of 4 task runs, a fan-out of 3 tasks and a fan-in of 3 run the very code that 256,
250 and 100 run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from cerebro.adapters import memory
from cerebro.core import messages
from cerebro.core.model import plan
from cerebro.core.planning import planner
from cerebro.core.run import (
    command_groups,
    invoke,
    overdue_check,
    page_check,
    retry_run,
)
from cerebro.core.run import fan_out as parts
from cordyna_core.contract import limits


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is of what is divided.

    Task runs a page, downstream tasks a fan-out message, upstreams awaited at most, commands that
    leave together, decisions an overdue check, commands that a run keeps, root causes that a
    message names, bytes of the outputs in a command, bytes of the parameters of a run,
    seconds for which a part of a fan-out begins tasks, facts that a repair reads at once.
    """

    page: int = plan.PAGE_SIZE
    fan_out: int = parts.FAN_OUT_WIDTH
    awaited: int = planner.MAX_AWAITED
    commands: int = command_groups.COMMANDS_PER_GROUP
    decisions: int = overdue_check.DECISIONS_PER_CHECK
    kept_commands: int = retry_run.COMMANDS_PER_RUN_MAX
    root_causes: int = messages.ROOT_CAUSES_MAX
    upstream_bytes: int = limits.MAX_UPSTREAM_BYTES
    params_bytes: int = limits.MAX_PARAMS_BYTES
    part_s: float = parts.PART_MAX_S
    facts_per_read: int = parts.FACTS_PER_READ

    def set(self) -> None:
        """Use these sizes in this process."""
        global _in_use  # noqa: PLW0603 - the modules that are set below are as global
        _in_use = self
        for module, name, value in (
            (plan, "PAGE_SIZE", self.page),
            (memory, "PAGE_SIZE", self.page),
            (parts, "FAN_OUT_WIDTH", self.fan_out),
            (parts, "PART_MAX_S", self.part_s),
            (parts, "FACTS_PER_READ", self.facts_per_read),
            (page_check, "FACTS_PER_READ", self.facts_per_read),
            (planner, "MAX_AWAITED", self.awaited),
            (command_groups, "COMMANDS_PER_GROUP", self.commands),
            (parts, "COMMANDS_PER_GROUP", self.commands),
            (overdue_check, "COMMANDS_PER_GROUP", self.commands),
            (overdue_check, "DECISIONS_PER_CHECK", self.decisions),
            (retry_run, "COMMANDS_PER_RUN_MAX", self.kept_commands),
            (messages, "ROOT_CAUSES_MAX", self.root_causes),
            (messages, "MAX_UPSTREAM_BYTES", self.upstream_bytes),
            (invoke, "MAX_PARAMS_BYTES", self.params_bytes),
        ):
            setattr(module, name, value)


REAL: Final = Sizes()
_in_use = REAL


def in_use() -> Sizes:
    """Return the sizes that this process uses."""
    return _in_use


@contextmanager
def sizes(chosen: Sizes) -> Iterator[None]:
    """Use other sizes for the length of a block."""
    chosen.set()
    try:
        yield
    finally:
        REAL.set()
