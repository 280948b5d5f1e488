"""Host slot: the worker host of a pool, which another one follows when it is lost.

A host is lost when its process has ended, when it takes nothing more, or when it has left a ping
unanswered (heartbeat.py). Hosts that end while they start are followed by the next one after a
pause (restart_pause.py).

Invariant: at most one host lives, and nothing that a lost one has started outlives it.
"""

import selectors
from collections.abc import Callable
from typing import Any, Final

from cordyna_core.worker.pool.heartbeat import ANSWER_TIMEOUT_S, Heartbeat
from cordyna_core.worker.pool.host_process import HostLostError, HostProcess
from cordyna_core.worker.pool.restart_pause import RestartPause
from cordyna_core.worker.settings import Settings

_CLOSE_TIMEOUT_S: Final = 5.0


class HostSlot:
    """The place of one host; the first is started at once. `clock`: monotonic seconds.

    Raises:
        OSError: the first host could not be started.
    """

    def __init__(
        self, token: str, lock_path: str, settings: Settings, clock: Callable[[], float]
    ) -> None:
        self._token, self._lock_path = token, lock_path
        self._settings, self._clock = settings, clock
        self._selector = selectors.DefaultSelector()
        self._pause = RestartPause(settings, clock)
        self._heartbeat: Heartbeat
        self._count = 0
        self.is_ready = False
        """Whether the host has said so."""
        self.is_second_try = False
        """Whether the host follows a lost one, and none has been ready since."""
        self._host: HostProcess | None = self._start_host()

    @property
    def is_empty(self) -> bool:
        """Whether there is no host now."""
        return self._host is None

    @property
    def number(self) -> int:
        """What tells the host from the next one; 0 if the slot is empty."""
        return 0 if self._host is None else self._count

    @property
    def pid(self) -> int:
        """The host's process; 0 if the slot is empty."""
        return 0 if self._host is None else self._host.pid

    def fileno(self) -> int:
        """Readable when `receive` has something. The number never changes."""
        return self._selector.fileno()

    def pause_left_s(self) -> float:
        """Return how long no host may be started yet."""
        return self._pause.left_s()

    def start(self) -> None:
        """Start the host that follows a lost one. Raises OSError; then the next pause begins."""
        try:
            self._host = self._start_host()
        except OSError:
            self._pause.begin()
            raise
        self.is_second_try = True

    def send(self, request: dict[str, Any], frame: bytes = b"") -> None:
        """Send a request to the host that there is. Raises HostLostError."""
        assert self._host is not None
        self._host.send(request, frame)

    def receive(self) -> list[dict[str, Any]]:
        """Return what the host has said, without waiting; but for its signs of life.

        Raises HostLostError.
        """
        assert self._host is not None
        events: list[dict[str, Any]] = []
        for fields in self._host.receive():
            if fields["event"] == "pong":
                self._heartbeat.answered(fields["number"])
            elif fields["event"] == "waiting":
                self._heartbeat.note_waiting(self._clock())
            else:
                events.append(fields)
        return events

    def beat(self, clock_offset_s: Callable[[], float]) -> None:
        """Send the ping that is due, with the engine's clock.

        Raises HostLostError, also if an answer is overdue.
        """
        if self._host is None:
            return
        number = self._heartbeat.due(self._clock())
        if number is not None:
            ping = {"op": "ping", "number": number, "clock_offset_s": clock_offset_s()}
            self._host.send(ping)
        if self._heartbeat.is_lost(self._clock()):
            raise HostLostError(f"it did not answer for {ANSWER_TIMEOUT_S:g} s")

    def note_ready(self) -> None:
        """The host is ready: it has the lock, and can load servers."""
        self.is_ready = True
        self.is_second_try = False
        self._heartbeat.answered(0)

    def is_late(self) -> bool:
        """Return whether the host leaves the last ping unanswered for longer than usual."""
        return self._heartbeat.is_late(self._clock())

    def end_lost(self) -> None:
        """End a lost host and all that it started."""
        host = self._take_out()
        assert host is not None
        host.end()
        if self.is_second_try:
            # It has ended while it started, as the one before it: the next one may, too.
            self._pause.begin()
        else:
            self._pause.reset()

    def close(self) -> None:
        """Let the host end in order, or end it."""
        host = self._take_out()
        if host is not None:
            self._close_host(host)
        self._selector.close()

    def _start_host(self) -> HostProcess:
        self._count += 1
        self.is_ready = False
        token = f"{self._token}-{self._count}"
        host = HostProcess(self._lock_path, token, self._settings, send_timeout_s=ANSWER_TIMEOUT_S)
        self._selector.register(host, selectors.EVENT_READ)
        self._heartbeat = Heartbeat(self._clock(), host.progress)
        return host

    def _take_out(self) -> HostProcess | None:
        host, self._host = self._host, None
        if host is not None:
            self._selector.unregister(host)
        return host

    def _close_host(self, host: HostProcess) -> None:
        if not self.is_ready:
            # It has started nothing, and may wait long for the lock of another.
            host.end()
            return
        try:
            host.send({"op": "close"})
        except HostLostError:
            host.end()
        else:
            host.wait_for_end(_CLOSE_TIMEOUT_S)
