"""Host: the process between an engine and the bodies of all its task servers.

It supervises: it starts templates and workers, gives them attempts, reads their output, keeps run
clocks, ends what must end, and reports to the engine. It runs no user code, has one thread and uses
the standard library only.

Invariant: when the engine ends, for whatever reason, the host ends everything that it started and
then itself. It holds `bodies.lock` until then, so that the next engine knows.

Run as `python -m cordyna_core.worker.host.host SOCKET_FD LOCK_FILE TOKEN SETTINGS`.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any, Final, NoReturn

from cordyna_core.worker import processes
from cordyna_core.worker.host.attempt_record import AttemptRecord
from cordyna_core.worker.host.channel import Channel
from cordyna_core.worker.host.children import ChildTable
from cordyna_core.worker.host.engine_link import EngineLink
from cordyna_core.worker.host.loop import Loop
from cordyna_core.worker.host.server_entry import ServerEntry
from cordyna_core.worker.host.services import Services
from cordyna_core.worker.protocol import AttemptKey, Oversized
from cordyna_core.worker.settings import Settings, settings_from_json
from cordyna_core.worker.spec import spec_from_dict
from cordyna_core.worker.verdicts import AttemptCommand, command_from_json

_LOCK_POLL_MS: Final = 20
_WAIT_NOTE_INTERVAL_S: Final = 1.0
_WAIT_NOTE: Final = b'{"event":"waiting"}\n'
_CLOSE_TIMEOUT_S: Final = 2.0
_REQUEST_BYTES_MAX: Final = 8 * 1024 * 1024
_decode: Final = json.JSONDecoder().decode


class Host:
    """Handles the engine's requests: one line of JSON, for a command followed by its frame."""

    def __init__(self, sock: socket.socket, settings: Settings, token: str) -> None:
        self._loop = Loop()
        self._link = EngineLink(settings.backlog_bytes)
        self._services = Services(
            loop=self._loop, link=self._link, children=ChildTable(self._loop),
            settings=settings, token=token,
        )  # fmt: skip
        self._channel = Channel(
            self._loop, sock, self._on_line, self._engine_gone, line_limit=_REQUEST_BYTES_MAX
        )
        self._link.attach(self._channel, self._loop.timers)
        self._loop.at_turn_end = self._link.end_turn
        self._entries: dict[str, ServerEntry] = {}
        self._by_server: dict[str, ServerEntry] = {}
        self._unrouted: dict[AttemptKey, AttemptRecord] = {}
        self._header: dict[str, Any] | None = None
        self._expected: set[str] = set()
        """Targets that are to be started soon."""
        self._is_draining = self._has_drained = False
        self._requests = {
            "start": self._start,
            "expect": self._expect,
            "reload": self._start,
            "remove": self._remove,
            "run": self._run,
            "cancel": self._cancel,
            "ping": self._ping,
            "busy": self._busy,
            "drain": self._drain,
            "close": self._close,
        }

    def serve(self) -> NoReturn:
        """Serve until the engine ends."""
        self._link.event("ready", pid=os.getpid())
        while True:
            self._loop.turn()

    def claim_name(self, entry: ServerEntry, server: str) -> str | None:
        """See server_entry.EntryOwner."""
        owner = self._by_server.get(server)
        if owner is not None and owner is not entry:
            if not (entry.is_loading and owner.is_unused and self._began_before(entry, owner)):
                return owner.spec.target
            owner.yield_name(entry.spec.target)
        if entry.server is not None and entry.server != server:
            self._by_server.pop(entry.server, None)
        self._by_server[server] = entry
        self._loop.timers.after(0, self._route)
        return None

    def _began_before(self, one: ServerEntry, other: ServerEntry) -> bool:
        order = list(self._entries.values())
        return order.index(one) < order.index(other)

    def on_quiet(self) -> None:
        """See server_entry.EntryOwner."""
        if self._unrouted:
            self._loop.timers.after(0, self._route)
        is_quiet = not any(entry.running_count for entry in self._entries.values())
        if self._is_draining and is_quiet and not self._has_drained:
            self._has_drained = True
            self._link.event("drained")

    # -- requests -----------------------------------------------------------------------------

    def _on_line(self, line: bytes | Oversized) -> None:
        assert not isinstance(line, Oversized), "the engine bounds its requests"
        if self._header is None:
            header = _decode(line.decode())
            if header.get("has_frame"):
                self._header = header
            else:
                self._requests[header["op"]](header, b"")
        else:
            header, self._header = self._header, None
            self._requests[header["op"]](header, line + b"\n")

    def _start(self, request: dict[str, Any], frame: bytes) -> None:
        spec = spec_from_dict(request["spec"])
        self._expected.discard(spec.target)
        entry = self._entries.get(spec.target)
        if entry is None:
            entry = self._entries[spec.target] = ServerEntry(self._services, self, spec)
        entry.load(spec)

    def _expect(self, request: dict[str, Any], frame: bytes) -> None:
        self._expected.update(request["targets"])

    def _remove(self, request: dict[str, Any], frame: bytes) -> None:
        self._expected.discard(request["target"])
        self._loop.timers.after(0, self._route)
        entry = self._entries.pop(request["target"], None)
        if entry is not None:
            entry.drain()
            entry.retire_all()
            if entry.server is not None:
                self._by_server.pop(entry.server, None)

    def _run(self, request: dict[str, Any], frame: bytes) -> None:
        command = command_from_json(request["command"])
        if self._is_draining:
            self._end_unstarted(command, "drain")
            return
        self._unrouted[command.key] = AttemptRecord(command, frame, self._services)
        self._route()

    def _route(self) -> None:
        """Queue commands at their servers; while servers are loading, others wait for them."""
        is_loading = bool(self._expected) or any(
            entry.is_loading for entry in self._entries.values()
        )
        for key, attempt in list(self._unrouted.items()):
            entry = self._by_server.get(attempt.command.server)
            if entry is None and is_loading:
                continue
            del self._unrouted[key]
            if entry is None:
                self._end_unstarted(attempt.command, "not_loaded")
            else:
                entry.run(attempt)

    def _end_unstarted(self, command: AttemptCommand, outcome: str) -> None:
        self._link.event("ended", key=command.key, server=command.server, outcome=outcome)

    def _cancel(self, request: dict[str, Any], frame: bytes) -> None:
        key = AttemptKey(*request["key"])
        unrouted = self._unrouted.pop(key, None)
        if unrouted is not None:
            self._end_unstarted(unrouted.command, "cancelled")
        entry = self._by_server.get(request["server"])
        if entry is not None:
            entry.cancel(key, frame, request["grace_s"])

    def _ping(self, request: dict[str, Any], frame: bytes) -> None:
        self._services.clock_offset_s = request["clock_offset_s"]
        self._link.event("pong", number=request["number"])

    def _busy(self, request: dict[str, Any], frame: bytes) -> None:
        servers = [entry.snapshot() for entry in self._entries.values()]
        self._link.event("busy", servers=servers)

    def _drain(self, request: dict[str, Any], frame: bytes) -> None:
        self._is_draining = True
        for attempt in self._unrouted.values():
            self._end_unstarted(attempt.command, "drain")
        self._unrouted.clear()
        for entry in self._entries.values():
            entry.drain()
        self._loop.timers.after(request["within_s"], self._stop_all)
        self.on_quiet()

    def _stop_all(self) -> None:
        for entry in self._entries.values():
            entry.stop_all()

    def _close(self, request: dict[str, Any], frame: bytes) -> None:
        """End: idle bodies run their atexit functions, busy ones are killed."""
        for entry in self._entries.values():
            entry.drain()
            entry.retire_all()
            for worker in entry.busy_workers():
                worker.kill()
        self._loop.timers.after(_CLOSE_TIMEOUT_S, self._engine_gone)
        while not all(entry.is_empty for entry in self._entries.values()):
            self._loop.turn()
        self._link.flush()
        os._exit(0)

    def _engine_gone(self) -> NoReturn:
        self.end_everything()

    def end_everything(self) -> NoReturn:
        """Kill all that descends from this process, then exit."""
        self._services.children.kill_groups()
        processes.end_own_descendants()
        os._exit(0)


def hold_lock(path: str, sock: socket.socket) -> int:
    """Take the lock of the home's bodies, waiting for a host that still ends its own.

    The engine learns that this one waits, so that it does not take it for stuck.
    """
    next_note_at = time.monotonic()
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    poll = select.poll()
    poll.register(sock, select.POLLHUP | getattr(select, "POLLRDHUP", 0))
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if poll.poll(_LOCK_POLL_MS):
                os._exit(0)  # the engine ended while it waited
            if time.monotonic() >= next_note_at:
                next_note_at = time.monotonic() + _WAIT_NOTE_INTERVAL_S
                # An engine that reads nothing for hours needs no further note.
                with contextlib.suppress(BlockingIOError):
                    sock.send(_WAIT_NOTE, socket.MSG_DONTWAIT)
            continue
        return lock


def main() -> NoReturn:
    """Run a host. See the module for its arguments."""
    fd, lock_path, token, settings = sys.argv[1:5]
    sock = socket.socket(fileno=int(fd))
    os.set_inheritable(sock.fileno(), False)  # noqa: FBT003
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    processes.DESCRIPTOR_LIMIT.raise_to_most()
    processes.become_subreaper()
    if lock_path:
        try:
            hold_lock(lock_path, sock)
        except OSError as error:
            sys.exit(f"cordyna: the worker host cannot open {lock_path}: {error.strerror}")
    host = Host(sock, settings_from_json(settings), token)
    signal.signal(signal.SIGTERM, lambda signum, frame: host.end_everything())
    host.serve()


if __name__ == "__main__":
    main()
