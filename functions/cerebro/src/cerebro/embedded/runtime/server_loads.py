"""Server loads: how busy the servers are, stored for the commands of other processes."""

import time
from typing import Final

from cerebro.embedded.bodies.port import Bodies
from cerebro.embedded.storage.home import Home
from cerebro.embedded.storage.targets import ServerLoad

INTERVAL_S: Final = 2.0


class ServerLoads:
    """Asks the bodies now and then, and stores an answer that differs from the last one."""

    def __init__(self, home: Home, bodies: Bodies) -> None:
        self._home, self._bodies = home, bodies
        self._stored: tuple[ServerLoad, ...] = ()
        self._next_at = 0.0

    def request(self) -> None:
        """Ask, if the last time is long enough ago."""
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + INTERVAL_S
            self._bodies.request_loads()

    def store(self, loads: tuple[ServerLoad, ...]) -> None:
        """Store an answer. Raises ServiceError."""
        if loads != self._stored:
            with self._home.transaction():
                self._home.targets.write_loads(loads)
            self._stored = loads
