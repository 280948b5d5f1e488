"""Home session: whether this process drives its home, and how its threads wait for changes there.

Invariant: reading drives nothing. Waiting drives what is to be driven, as soon as no other process
holds the lease. So a run continues while any process waits for it. A process that was forked from
the one that opened the home does neither, and releases nothing: the driver is not in it.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from cerebro.embedded.alerts.sender import AlertSender
from cerebro.embedded.bodies.port import Bodies
from cerebro.embedded.runtime.clock_jump import SteadyClock
from cerebro.embedded.runtime.driver import Driver
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.runtime.plain_secrets import without_plain_secrets_yet
from cerebro.embedded.runtime.served import Fingerprint, ServedTargets
from cerebro.embedded.storage.home import Home
from cordyna_cli.engine import AlertTarget
from cordyna_core.contract.base import Problem
from cordyna_core.errors import Refusal, ServiceError, fix_problems
from cordyna_core.worker.settings import Settings

WATCH_INTERVAL_S: Final = 0.05
"""How often a process that does not drive checks the home."""

WAKE_INTERVAL_S: Final = 0.1
"""A waiting thread wakes at least this often, so that Ctrl-C takes effect."""

HOME_CHECK_INTERVAL_S: Final = 1.0
"""How often a waiting process looks whether its home is where it was."""

YIELD_S: Final = 0.0002

LOAD_TIMEOUT_S: Final = Settings().load_limit_s + 5
"""How long a command waits for the servers whose files have changed: the host reports before."""

CANCEL_TIMEOUT_S: Final = 20.0
"""How long a process waits for bodies of cancelled attempts: their grace, SIGTERM and SIGKILL."""

ALERTS_TIMEOUT_S: Final = 3.0
"""How long a process that ends waits for its alerts; the next one sends the rest."""

T = TypeVar("T")


class HomeSession:
    """Holds the home, the driver while this process has the lease, and the lock of both."""

    def __init__(
        self,
        home: Home,
        targets: Sequence[str],
        make_bodies: Callable[[], Bodies],
        fingerprint: Fingerprint,
        clock: SteadyClock,
        *,
        give_back_early: Callable[[], None] = lambda: None,
    ) -> None:
        self.home = home
        self.turns = 0
        self._pid = os.getpid()
        self.driver: Driver | None = None
        self._targets, self._make_bodies = tuple(targets), make_bodies
        self._fingerprint, self._clock = fingerprint, clock
        self._give_back_early = give_back_early
        self.alert_targets: Mapping[str, AlertTarget] = {}
        """Where incidents are sent while this process drives, by owner."""
        self._alerts: AlertSender | None = None
        self._readers_waiting, self._home_check_at = 0, 0.0
        self._is_closed = self._drives_alone = False
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        # Of several threads of this process one begins to drive; the others wait for it.
        self._beginning = threading.RLock()

    def acquire_lease(self) -> None:
        """Drive from now on, if there are servers to run and no other process drives.

        Loads the servers whose files have changed.

        Raises:
            Refusal: the declarations are rejected.
            ServiceError: the home or the worker host fails.
        """
        self._require_own_process()
        with self._beginning:
            has_work = self._targets or self._drives_alone
            if self.driver is None and not self._is_closed and has_work:
                self._begin_to_drive()

    @property
    def is_forked(self) -> bool:
        """Whether this process was forked from the one that opened the home."""
        return os.getpid() != self._pid

    def _require_own_process(self) -> None:
        if self.is_forked:
            raise ServiceError(
                f"this process was forked from process {self._pid}, which opened the home.",
                why="a home that is open cannot be used on both sides of a fork",
                next="connect in the process that uses it",
            )

    def drive_without_servers(self) -> None:
        """Drive from now on even if there is no server to run: events of others are handled."""
        self._drives_alone = True
        self.acquire_lease()

    def _begin_to_drive(self) -> None:
        if not self.home.take_lock():
            self._give_back_early()
            return
        served = ServedTargets(self.home, self._targets, self._fingerprint, self._clock)
        self.driver = Driver(
            self.home,
            self._lock,
            self._clock,
            self._on_turn,
            bodies=self._make_bodies(),
            served=served,
        )
        self._alerts = AlertSender(self.home, self._lock, self._clock, self.alert_targets)
        self._alerts.start()
        if self._targets:
            with self.write_transaction():
                self.home.targets.keep_only(self._targets)
        with self.read_transaction():
            unchanged = served.unchanged()
        changed = [target for target in served.targets if target not in unchanged]
        problems = self.driver.load(changed, LOAD_TIMEOUT_S)
        if problems:
            raise rejected(problems)

    def close(self) -> None:
        """Stop driving for good: a thread that still waits does not drive again."""
        self._is_closed = True
        self.release_lease()

    def release_lease(self) -> None:
        """Stop driving. The next driver resumes the active runs."""
        driver = self.driver
        if driver is None:
            return
        try:
            self._wait_for_cancelled(driver)
            if driver.has_live_bodies:
                # They get SIGTERM and a moment; the next driver resumes their attempts. A second
                # Ctrl-C raises here, and ends them at once.
                self.drain(within_s=0.0)
        finally:
            self.driver = None
            driver.stop()
            if self._alerts is not None:
                self._alerts.stop(ALERTS_TIMEOUT_S)

    def _wait_for_cancelled(self, driver: Driver) -> None:
        give_up_at = time.monotonic() + CANCEL_TIMEOUT_S
        with self._changed:
            while driver.has_cancelled_bodies and time.monotonic() < give_up_at:
                self._changed.wait(WAKE_INTERVAL_S)

    def can_process_alone(self) -> bool:
        """Return whether no process drives, this one included: then nothing of the home runs."""
        return self.driver is None and self.home.has_no_driver() and self.home.is_shared

    def process_alone(self, event: str) -> None:
        """Process one event without driving. Commands to servers are sent by the next driver.

        Raises ServiceError if another process begins to drive at this moment.
        """
        if not self.home.take_lock():
            raise ServiceError(
                "another process has just begun to drive this home.",
                next="run the same command again",
            )
        try:
            loop = MessageLoop(self.home, self._clock, to_server=lambda command, event: None)
            with self._lock:
                loop.process_now(event)
                while loop.step():
                    pass
                loop.end_idle_failing_runs()
        finally:
            self.home.unlock()

    def drain(self, within_s: float, on_wait: Callable[[], None] = lambda: None) -> None:
        """Start no further attempt, and wait for those that run; end them after `within_s`.

        Calls `on_wait`, without the lock, while it waits.
        """
        driver = self.driver
        if driver is None or not driver.is_started:
            return
        driver.drain(within_s)
        give_up_at = time.monotonic() + within_s + CANCEL_TIMEOUT_S
        while time.monotonic() < give_up_at:
            with self._changed:
                if driver.is_drained or driver.failure is not None:
                    return
                self._changed.wait(WAKE_INTERVAL_S)
            on_wait()

    def has_no_driver(self) -> bool:
        """Return whether no process drives, and this one has nothing to drive."""
        return self.driver is None and not self._targets and self.home.has_no_driver()

    def put(self, events: Sequence[str]) -> None:
        """Put events on the bus: on our own, or into the inbox of the process that drives."""
        if self.driver is not None:
            for event in events:
                self.driver.put(event)
        else:
            with self.write_transaction():
                store = self.home.store
                kept = [without_plain_secrets_yet(event, store) for event in events]
                self.home.event_log.put_inbox(kept)

    @contextmanager
    def read_transaction(self) -> Iterator[None]:
        """Read the home. Raises ServiceError if it cannot be read."""
        self._require_own_process()
        self._readers_waiting += 1
        try:
            self._lock.acquire()
        finally:
            self._readers_waiting -= 1
        try:
            with self.home.reading():
                yield
        finally:
            self._lock.release()

    @contextmanager
    def write_transaction(self) -> Iterator[None]:
        """Write to the home, all or nothing. Raises ServiceError if it cannot be written."""
        self._require_own_process()
        with self._lock, self.home.transaction():
            yield

    def wait_until(self, find: Callable[[], T | None], until: float | None = None) -> T | None:
        """Wait for a value of `find`, which is called after every turn.

        Returns None when `until` (monotonic seconds) has passed.

        Raises:
            ServiceError: the home was deleted or replaced, or this process was forked.
            Exception: what stopped the driver.
        """
        self._require_own_process()
        while True:
            self._require_home()
            with self._beginning:
                self.acquire_lease()
                if self.driver is not None:
                    self.driver.start()
            with self._changed, self.home.reading():
                if self.driver is not None and self.driver.failure is not None:
                    raise self.driver.failure
                if (value := find()) is not None:
                    return value
                left_s = None if until is None else until - time.monotonic()
                if left_s is not None and left_s <= 0:
                    return None
                if self.driver is not None:
                    self._changed.wait(
                        WAKE_INTERVAL_S if left_s is None else min(WAKE_INTERVAL_S, left_s)
                    )
                    continue
            time.sleep(WATCH_INTERVAL_S if left_s is None else min(WATCH_INTERVAL_S, left_s))
            self.turns += 1

    def _require_home(self) -> None:
        now = time.monotonic()
        if now >= self._home_check_at:
            self._home_check_at = now + HOME_CHECK_INTERVAL_S
            self.home.require_in_place()

    def _on_turn(self, has_news: bool) -> None:  # noqa: FBT001 a callback with one value
        self.turns += 1
        if has_news:
            with self._changed:
                self._changed.notify_all()
        elif self._readers_waiting:
            # threading locks are not fair: pause briefly so that waiting readers can acquire it.
            time.sleep(YIELD_S)


def rejected(problems: Sequence[Problem]) -> Refusal:
    """Return the error for servers whose declarations do not make a graph."""
    return Refusal(
        "the servers' declarations were rejected.",
        problems,
        why="\n".join(problem.message for problem in problems),
        next=f"{fix_problems(len(problems))}, then run the same command again",
    )
