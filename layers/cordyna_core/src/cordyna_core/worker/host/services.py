"""Services: what every part of the host shares.

Invariant: two readings of `now` differ by the time that really passed, unless the engine has
adopted another wall time in between.
"""

import time
from collections.abc import Callable

from cordyna_core.worker.host.children import ChildTable
from cordyna_core.worker.host.engine_link import EngineLink
from cordyna_core.worker.host.loop import Loop
from cordyna_core.worker.settings import Settings


class Services:
    """One host's loop, children, link to the engine, settings and clock."""

    __slots__ = ("children", "clock_offset_s", "link", "loop", "monotonic", "settings", "token")

    def __init__(
        self,
        *,
        loop: Loop,
        link: EngineLink,
        children: ChildTable,
        settings: Settings,
        token: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.loop, self.link, self.children = loop, link, children
        self.settings, self.token = settings, token
        self.monotonic = monotonic
        self.clock_offset_s = time.time() - monotonic()  # noqa: TID251  until the engine says it

    def now(self) -> float:
        """Return the engine's UTC seconds."""
        return self.monotonic() + self.clock_offset_s
