"""Body news: what the bodies of a home reported, taken in order.

Invariant: what has been taken is not taken again, and what could not be (the home is locked) stays
first. An event of the bus follows the output that was written before it.
"""

from collections import deque

from cerebro.embedded.bodies.port import (
    Bodies,
    BodiesDrained,
    BodyEvent,
    CheckedEvent,
    LoadFailure,
    Loads,
    ServerLoaded,
    Undeliverable,
    is_start,
)
from cerebro.embedded.replay.recording import RELOADED
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.runtime.served import ServedTargets
from cerebro.embedded.runtime.server_events import server_event
from cerebro.embedded.runtime.server_loads import ServerLoads
from cerebro.embedded.storage.event_log import LogChunk
from cerebro.embedded.storage.home import Home
from cordyna_core.contract.base import Problem
from cordyna_core.contract.state_updates import DeclarationRejected, ServerStateChanged
from cordyna_core.ports import Clock


class BodyNews:
    """See the module. `is_published`: what was loaded, or not, is put on the bus, too."""

    def __init__(
        self, home: Home, bodies: Bodies, *, loop: MessageLoop, served: ServedTargets, clock: Clock
    ) -> None:
        self._home, self._bodies = home, bodies
        self._loop, self._served, self._clock = loop, served, clock
        self._events: deque[BodyEvent] = deque()
        self._chunks: list[LogChunk] = []
        self.loads = ServerLoads(home, bodies)
        self.is_published = False
        self.is_drained = False
        self.needs_declaring = False

    @property
    def is_empty(self) -> bool:
        """Whether all that was received has been taken."""
        return not self._events

    @property
    def has_only_starts(self) -> bool:
        """Whether bodies have begun, and nothing else was received."""
        return bool(self._events) and all(map(is_start, self._events))

    def receive(self) -> None:
        """Receive what the bodies have reported, without waiting."""
        self._events.extend(self._bodies.receive())

    def take(self) -> None:
        """Take what was received, in order."""
        while self._events:
            self._take(self._events[0])
            # Afterwards: if the home is locked, it is taken again.
            self._events.popleft()

    def store_output(self) -> None:
        """Store the output that was taken, in one transaction."""
        if self._chunks:
            with self._home.transaction():
                self._home.event_log.append_log_chunks(self._chunks)
            self._chunks.clear()

    def _take(self, event: BodyEvent) -> None:
        match event:
            case str():
                self._loop.put(event)
            case CheckedEvent():
                self._loop.put(event.event, event.envelope)
            case LogChunk():
                self._chunks.append(event)
            case ServerLoaded():
                self._take_loaded(event)
            case LoadFailure():
                self._take_failure(event)
            case Undeliverable():
                with self._home.transaction():
                    self._home.event_log.add_dead_letter(event.text, event.reason, self._clock())
            case Loads():
                self.loads.store(event.servers)
            case BodiesDrained():
                self.is_drained = True

    def _take_loaded(self, event: ServerLoaded) -> None:
        server = event.declaration.server
        was_loaded = event.target in self._served.is_loaded
        was_refused = event.target in self._served.is_refused
        is_changed = self._served.on_declared(event)
        if event.target in self._served.is_refused:
            # The host may have it under the name of another one, which is loaded later.
            self._bodies.remove(event.target)
            return
        # What was kept because of a refusal may be removed now, and its incident is over.
        self.needs_declaring |= is_changed or was_refused
        if self.is_published and was_loaded and not is_changed:
            # Its files are another version, which is seen on the bus in this way only.
            ready = ServerStateChanged(server=server, state="ready")
            self._loop.put(server_event(server, ready, self._clock(), cause=RELOADED))

    def _take_failure(self, event: LoadFailure) -> None:
        self._served.on_failed(event)
        if self.is_published:
            problem = Problem(code="not_loaded", message=event.error)
            name = self._served.server_of(event.target) or event.target
            self._loop.publish_now([DeclarationRejected(server=name, problems=[problem])])
