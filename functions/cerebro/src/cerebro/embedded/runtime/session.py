"""HomeSession: whether this process drives its home, and how everybody in it waits for what is going on there.

Law: whoever only looks drives nothing; whoever waits drives what is to be driven, as soon as the session is free. So a run
goes on as long as anybody waits for it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from cerebro.embedded.runtime.driver import Driver
from cerebro.embedded.storage.home import DiskHome, MemoryHome
from cordyna_core.contract.base import Problem
from cordyna_core.errors import Refusal, UserError
from cordyna_core.ports import Clock
from cordyna_core.server.task_server import TaskServer

WATCH_S: Final = 0.05
"""How often a process that does not drive looks at the home."""

WAKE_S: Final = 0.1
"""A waiting thread looks at least this often, so that Ctrl-C is heard and a redraw is not late."""

MAKE_WAY_S: Final = 0.0002

T = TypeVar("T")


class HomeSession:
    """Holds the home, the driver when this process has it, and the one lock that guards them both."""

    def __init__(
        self,
        home: DiskHome | MemoryHome,
        servers: Sequence[TaskServer],
        clock: Clock,
        *,
        whole_process: bool = False,
    ) -> None:
        self.home, self._whole_process = home, whole_process
        self.steps = 0
        self._looking_on = 0
        self.driver: Driver | None = None
        self._servers, self._clock = {server.name: server for server in servers}, clock
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def acquire_lease(self) -> None:
        """Drive from now on, if there is something to serve and nobody else does. Raises Refusal: the servers make no graph."""
        if self.driver is not None or not self._servers or not self.home.take_lock():
            return
        driver = Driver(
            self.home, self._lock, self._clock, self._stepped, whole_process=self._whole_process
        )
        driver.serve(self._servers.values())
        problems = driver.declare()
        if problems:
            raise rejected(problems)
        self.driver = driver

    def release_lease(self) -> None:
        """Stop driving. What still runs is taken up by whoever drives next."""
        driver, self.driver = self.driver, None
        if driver is not None:
            driver.stop()

    def replace_server(self, before: str, server: TaskServer) -> None:
        """Serve this one instead of the one named `before`. A rejected declaration is told on the bus; the last good one stands."""
        if before != server.name:
            del self._servers[before]
        self._servers[server.name] = server
        if self.driver is not None:
            with self.read_transaction():
                self.driver.serve(self._servers.values())
                self.driver.declare()

    def has_no_driver(self) -> bool:
        """Whether nobody drives, and nobody is about to."""
        return self.driver is None and not self._servers and self.home.has_no_driver()

    def put(self, events: Sequence[str]) -> None:
        """Put events on the bus, or into the inbox of whoever drives."""
        if self.driver is not None:
            for event in events:
                self.driver.put(event)
        else:
            with self.write_transaction():
                self.home.event_log.put_inbox(events)

    @contextmanager
    def read_transaction(self) -> Iterator[None]:
        """To read the home. Raises ServiceError when it cannot be read."""
        self._looking_on += 1
        try:
            self._lock.acquire()
        finally:
            self._looking_on -= 1
        try:
            with self.home.reading():
                yield
        finally:
            self._lock.release()

    @contextmanager
    def write_transaction(self) -> Iterator[None]:
        """To write to the home, all or nothing. Raises ServiceError when it cannot be written."""
        with self._lock, self.home.transaction():
            yield

    def wait_until(self, found: Callable[[], T | None], until: float | None = None) -> T | None:
        """What `found` finds, asked after every step; None when `until` (monotonic seconds) has passed.

        Raises:
            Exception: whatever stopped the driver.
        """
        while True:
            self.acquire_lease()
            if self.driver is not None:
                self.driver.start()
            with self._changed, self.home.reading():
                if self.driver is not None and self.driver.failure is not None:
                    raise self.driver.failure
                if (answer := found()) is not None:
                    return answer
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return None
                if self.driver is not None:
                    self._changed.wait(WAKE_S if left is None else min(WAKE_S, left))
                    continue
            time.sleep(WATCH_S if left is None else min(WATCH_S, left))
            self.steps += 1

    def _stepped(self, news: bool) -> None:
        self.steps += 1
        if news:
            with self._changed:
                self._changed.notify_all()
        elif self._looking_on:
            # A lock is not fair: whoever waits for it gets it only if it is free for a moment.
            time.sleep(MAKE_WAY_S)


def each_once(servers: Mapping[str, TaskServer]) -> None:
    """Several instances of a server are one server, but two sets of tasks under one name are a mistake. Raises UserError."""
    seen: dict[str, str] = {}
    for target, server in servers.items():
        if server.name in seen and server is not servers[seen[server.name]]:
            raise UserError(
                f"{seen[server.name]} and {target} are both named {server.name!r}.",
                next="give one of them another name: TaskServer(...)",
            )
        seen.setdefault(server.name, target)


def rejected(problems: Sequence[Problem]) -> Refusal:
    """What to tell a person whose servers do not make a graph."""
    return Refusal(
        "the servers' declarations were rejected.",
        problems,
        why="\n".join(problem.message for problem in problems),
        next="mend what is listed; nothing of it was accepted.",
    )
