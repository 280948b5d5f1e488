"""Sizes: lets a small world meet what only large ones meet.

Law: a page of 4 task runs, a walk of 3 downstream tasks and a fan-in of 3 run the very code that 256, 250 and 100 run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cerebro.adapters import memory
from cerebro.core import dispatch, look, model, plan


@dataclass(frozen=True, slots=True)
class Sizes:
    """Task runs per page, downstream tasks per walk, upstreams awaited at most."""

    page: int = model.PAGE_SIZE
    walk: int = dispatch.WALK_WIDTH
    widest: int = plan.WIDEST

    def set(self) -> None:
        """Make them those of this process."""
        for module, name, value in (
            (model, "PAGE_SIZE", self.page),
            (memory, "PAGE_SIZE", self.page),
            (dispatch, "WALK_WIDTH", self.walk),
            (look, "WALK_WIDTH", self.walk),
            (plan, "WIDEST", self.widest),
        ):
            setattr(module, name, value)


REAL = Sizes()


@contextmanager
def sizes(chosen: Sizes) -> Iterator[None]:
    """Use other sizes for a while."""
    chosen.set()
    try:
        yield
    finally:
        REAL.set()
