"""Pool: the engine's side of the worker host, for one thread with one selector.

Invariant: of every command that was given to `run`, exactly one AttemptEnded follows; if its body
was started, after its final StateUpdate (except when it is cut by `drain` or `close`). That holds
too when the host is lost: the pool then answers in its place.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.worker import verdicts
from cordyna_core.worker.pool.acknowledgement import Acknowledgements
from cordyna_core.worker.pool.command_frames import cancel_frame, run_frame
from cordyna_core.worker.pool.events import (
    AttemptEnded,
    Declared,
    Event,
    HostLost,
    LoadFailed,
    Ready,
    StateUpdate,
    events_from,
    state_update,
)
from cordyna_core.worker.pool.heartbeat import PING_INTERVAL_S
from cordyna_core.worker.pool.host_process import HostLostError
from cordyna_core.worker.pool.host_slot import HostSlot
from cordyna_core.worker.pool.load_watch import LoadWatch
from cordyna_core.worker.protocol import AttemptKey
from cordyna_core.worker.settings import Settings
from cordyna_core.worker.spec import ServerSpec
from cordyna_core.worker.verdicts import AttemptCommand

DEFAULT_RUN_TIMEOUT_S: Final = 1800.0

_OF_ATTEMPTS: Final = frozenset({"run", "cancel"})
_OF_SERVERS: Final = frozenset({"start", "reload", "remove"})
"""Requests that no new host needs: it loads the servers that there are then, once each."""


class WorkerPool:
    """Runs the attempts of task servers in processes of their own.

    Not thread-safe: every method is called by the engine's driver thread. Watch `fileno()`; when
    it is readable, or after `next_poll_s()`, call `receive()`.

    Args:
        lock_path: `bodies.lock` of the home, held by the host while any body may run; "" for none.
        settings: delays and limits of the host.
        clock: monotonic seconds, for the heartbeat.
        now: UTC seconds, for what the pool publishes itself.
    """

    def __init__(
        self,
        *,
        token: str,
        lock_path: str = "",
        settings: Settings | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,  # noqa: TID251  the default of a composition
    ) -> None:
        self._settings = settings or Settings()
        self._clock, self._now = clock, now
        self._slot = HostSlot(token, lock_path, self._settings, clock)
        self._specs: dict[str, ServerSpec] = {}
        self._loads = LoadWatch()
        self._live: dict[AttemptKey, AttemptCommand] = {}
        self._answered: set[AttemptKey] = set()
        self._pending: list[Event] = []
        self._acknowledgements = Acknowledgements()
        self._declared: set[str] = set()
        """The servers that the present host has loaded."""
        self._unsent: list[tuple[dict[str, Any], bytes]] = []
        """Requests that were made while there was no host."""
        self._is_closed = False

    @property
    def host_pid(self) -> int:
        """The host's process; 0 while none could be started."""
        return self._slot.pid

    @property
    def live(self) -> Mapping[AttemptKey, AttemptCommand]:
        """The attempts that have not ended."""
        return self._live

    def fileno(self) -> int:
        """Readable when `receive` has something. The number never changes."""
        return self._slot.fileno()

    def start(self, servers: Iterable[ServerSpec]) -> None:
        """Load these servers. Each is answered by Declared or LoadFailed."""
        specs = {spec.target: spec for spec in servers}
        self._specs.update(specs)
        self._loads.allow(specs)
        self._load(specs)

    def reload(self, target: str) -> None:
        """Load a started server again. The old generation serves until the new one is ready."""
        if self._loads.is_given_up(target):
            self.start([self._specs[target]])
        else:
            self._load([target], "reload")

    def remove(self, target: str) -> None:
        """Stop serving a target. Its running attempts end first."""
        if self._specs.pop(target, None) is not None:
            self._loads.forget(target)
            self._send({"op": "remove", "target": target})

    def run(self, command: RunTask, *, run_timeout_s: float = DEFAULT_RUN_TIMEOUT_S) -> None:
        """Run an attempt as soon as its server has a free worker. A duplicate is ignored."""
        key = AttemptKey(command.run_id, command.task, command.attempt)
        if key in self._live:
            return
        meta = command.meta
        header = AttemptCommand(
            server=command.server,
            key=key,
            ack_by=command.ack_by.timestamp(),
            start_by=command.start_by.timestamp(),
            run_timeout_s=run_timeout_s,
            cause=meta.id if meta is not None else None,
            traceparent=meta.traceparent if meta is not None else None,
            clock_offset_s=self._clock_offset_s(),
        )
        self._live[key] = header
        frame = run_frame(command, run_timeout_s, header.clock_offset_s)
        left_s = max(0.0, header.ack_by - self._now())
        self._acknowledgements.hand_over(header, frame, now=self._clock(), left_s=left_s)
        self._send({"op": "run", "command": header}, frame)

    def cancel(self, command: CancelTask, *, grace_s: float | None = None) -> None:
        """Cancel an attempt: signals follow after `grace_s` (default 10 s)."""
        grace = self._settings.default_grace_s if grace_s is None else grace_s
        key = AttemptKey(command.run_id, command.task, command.attempt)
        self._acknowledgements.note_news(key)
        request = {
            "op": "cancel",
            "server": command.server,
            "key": key,
            "grace_s": grace,
        }
        self._send(request, cancel_frame(command, grace))

    def request_busy(self) -> None:
        """Ask for a Busy event."""
        self._send({"op": "busy"})

    def drain(self, within_s: float) -> None:
        """Start no further attempt; stop what still runs after `within_s`. Answered by Drained.

        Attempts that are cut get AttemptEnded(outcome="drain") and no final state.
        """
        self._acknowledgements.clear()
        self._send({"op": "drain", "within_s": within_s})

    def close(self) -> None:
        """End the host and all bodies: idle ones exit in order, busy ones are killed."""
        if self._is_closed:
            return
        self._is_closed = True
        self._slot.close()

    def next_poll_s(self) -> float:
        """Return how long to wait at most before the next `receive`."""
        if self._pending:
            return 0.0
        if self._slot.is_empty:
            return min(PING_INTERVAL_S, self._slot.pause_left_s())
        return min(PING_INTERVAL_S, self._acknowledgements.next_in_s(self._clock()))

    def receive(self) -> list[Event]:
        """Return the events that have arrived, without waiting."""
        events, self._pending = self._pending, []
        if self._slot.is_empty:
            self._restart_host()
        else:
            try:
                for fields in self._slot.receive():
                    self._take(fields, events)
                self._slot.beat(self._clock_offset_s)
                self._acknowledge(events)
            except HostLostError as lost:
                self._replace_host(str(lost), events)
        if (alone := self._loads.next_alone()) is not None:
            self._load([alone])
        events += self._pending
        self._pending = []
        return events

    # -- inside -------------------------------------------------------------------------------

    def _load(self, targets: Iterable[str], op: str = "start") -> None:
        """Load these now, except those whose turn comes anyway.

        A host that is lost meanwhile is followed by one that was given all of them.
        """
        host = self._slot.number
        for target in targets:
            if self._slot.number == host and not self._loads.is_waiting(target):
                self._send({"op": op, "spec": self._specs[target]._asdict()})
                if self._slot.number == host:
                    self._loads.begin(target)

    def _take(self, fields: dict[str, Any], events: list[Event]) -> None:
        for event in events_from(fields):
            if self._is_of_removed_server(event) or self._give_again(event):
                continue
            self._loads.observe(event)
            key = getattr(event, "key", None)
            if key is not None:
                self._acknowledgements.note_news(key)
            if isinstance(event, Ready):
                self._slot.note_ready()
            elif isinstance(event, Declared):
                self._declared.add(event.server)
            elif isinstance(event, StateUpdate) and event.is_final:
                self._answered.add(event.key)
            elif isinstance(event, AttemptEnded):
                self._live.pop(event.key, None)
                self._answered.discard(event.key)
            events.append(event)

    def _acknowledge(self, events: list[Event]) -> None:
        """Say `queued` for a host that cannot yet: it starts, loads servers, or hardly runs."""
        for command in self._acknowledgements.take_due(self._clock(), self._is_served):
            now = command.clock_offset_s + time.monotonic()
            events.append(state_update(verdicts.state_update(command, now, "queued")))

    def _is_served(self, command: AttemptCommand) -> bool:
        """Return whether a host lives that may run the command, but cannot say so in time."""
        if not self._slot.is_ready:
            return not self._slot.is_second_try
        may_load = command.server not in self._declared and self._loads.is_loading
        return may_load or self._slot.is_late()

    def _is_of_removed_server(self, event: Event) -> bool:
        """Return whether it is the answer to a load, sent before the server was removed."""
        return isinstance(event, Declared | LoadFailed) and event.target not in self._specs

    def _give_again(self, event: Event) -> bool:
        """Give the host a command again that it found stale after the pool's `queued`."""
        if not isinstance(event, AttemptEnded) or event.outcome != "stale":
            return False
        key = event.key
        if not self._acknowledgements.is_queued(key):
            return False
        again = self._acknowledgements.again(key)
        if again.command.start_by < again.command.clock_offset_s + time.monotonic():
            return False
        self._send({"op": "run", "command": again.command}, again.frame)
        return True

    def _send(self, request: dict[str, Any], frame: bytes = b"") -> None:
        if self._slot.is_empty:
            self._unsent.append((request, frame))
            return
        try:
            self._slot.send(request, frame)
        except HostLostError as lost:
            self._replace_host(str(lost), self._pending)

    def _clock_offset_s(self) -> float:
        """Return what `now` is ahead of the clock that all processes of this machine share."""
        return self._now() - time.monotonic()

    def _replace_host(self, why: str, events: list[Event]) -> None:
        """End a lost host, answer for its attempts, and load the servers in a new one."""
        self._slot.end_lost()
        events.append(HostLost(why=why))
        events += self._loads.blame(why)
        # A host that was not ready has begun nothing; after a second one, nothing is kept.
        is_first_try = not (self._slot.is_ready or self._slot.is_second_try)
        kept = self._acknowledgements.silent() if is_first_try else []
        if not kept:
            self._acknowledgements.clear()
        kept_keys = {handed.command.key for handed in kept}
        for key, command in list(self._live.items()):
            if key not in kept_keys:
                del self._live[key]
                self._answer_for_lost(key, command, why, events)
        self._answered.clear()
        self._unsent += [({"op": "run", "command": h.command}, h.frame) for h in kept]
        self._restart_host()

    def _restart_host(self) -> None:
        """Start a host once its time has come; later, if the system cannot now."""
        if self._slot.pause_left_s() > 0:
            return
        try:
            self._slot.start()
        except OSError as error:
            self._pending.append(HostLost(why=f"another could not be started: {error}"))
            return
        self._declared.clear()
        host = self._slot.number
        unsent, self._unsent = self._unsent, []
        first = self._loads.begin_all(self._specs)
        if self._loads.waiting:
            # Otherwise their commands would be answered as those of no server.
            self._send({"op": "expect", "targets": self._loads.waiting})
        if self._slot.number == host:
            self._load(first)
        for request, frame in unsent:
            is_answered = request["op"] in _OF_ATTEMPTS and self._slot.number != host
            if request["op"] not in _OF_SERVERS and not is_answered:
                self._send(request, frame)

    def _answer_for_lost(
        self, key: AttemptKey, command: AttemptCommand, why: str, events: list[Event]
    ) -> None:
        if key not in self._answered:
            detail = verdicts.worker_died(
                command,
                command.clock_offset_s + time.monotonic(),
                f"the worker host was lost: {why}",
                "",
            )
            events.append(state_update(detail))
        events.append(AttemptEnded(server=command.server, key=key, outcome="died"))
