"""Servers that take long to load: what waits for them, and what is not begun twice."""

import threading
from collections.abc import Sequence
from typing import Any, cast

from cerebro.embedded.bodies.port import Bodies
from cerebro.embedded.bodies.threads import ThreadBodies
from cerebro.embedded.runtime.clock_jump import SteadyClock
from cerebro.embedded.runtime.driver import Driver
from cerebro.embedded.runtime.served import ServedTargets
from cerebro.embedded.runtime.session import LOAD_TIMEOUT_S
from cerebro.embedded.storage.home import MemoryHome
from cordyna_core import TaskServer
from cordyna_core.worker.settings import Settings


class SlowBodies:
    """Implements Bodies: its servers are loading, and have not answered yet."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.begun: list[str] = []

    def load(self, targets: Sequence[str]) -> None:
        self.begun += targets

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bodies, name)


def test_server_that_still_loads_is_not_begun_again() -> None:
    clock = SteadyClock(lambda: 0.0, lambda: 0.0)
    home = MemoryHome(clock)
    bodies = SlowBodies(ThreadBodies({"slow": TaskServer("slow")}, clock))
    driver = Driver(
        home,
        threading.RLock(),
        clock,
        lambda has_news: None,
        bodies=cast("Bodies", bodies),
        served=ServedTargets(home, ["slow"], lambda target: "", clock),
    )

    driver.load(["slow"], timeout_s=0.0)
    driver.start()
    driver.stop()

    assert bodies.begun == ["slow"]


def test_engine_waits_until_the_host_reports() -> None:
    assert Settings().load_limit_s < LOAD_TIMEOUT_S
