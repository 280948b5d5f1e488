"""Services: what every part of the host shares."""

import time
from collections.abc import Callable

from cordyna_core.worker.children import ChildTable
from cordyna_core.worker.engine_link import EngineLink
from cordyna_core.worker.loop import Loop
from cordyna_core.worker.settings import Settings


class Services:
    """One host's loop, children, link to the engine, settings and wall clock."""

    __slots__ = ("children", "link", "loop", "now", "settings", "token")

    def __init__(
        self,
        *,
        loop: Loop,
        link: EngineLink,
        children: ChildTable,
        settings: Settings,
        token: str,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.loop, self.link, self.children = loop, link, children
        self.settings, self.token = settings, token
        self.now = now or steady_clock()


def steady_clock() -> Callable[[], float]:
    """UTC seconds as of now, continued by the monotonic clock: a jump changes no interval."""
    offset = time.time() - time.monotonic()  # noqa: TID251  the composition of a host
    return lambda: offset + time.monotonic()
