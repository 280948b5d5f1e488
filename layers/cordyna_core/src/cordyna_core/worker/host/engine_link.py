"""Engine link: the host's connection to the engine, and its backpressure.

Invariant: while more than `backlog_bytes` wait for the engine, nothing is read from bodies, so that
they wait too and nothing is lost. Timers and signals work on. When reading resumes, frames of
bodies come before output, and what was read least recently comes first: so a body whose output
floods the engine delays the states and the output of others by no more than one backlog.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from cordyna_core.worker.host.channel import Channel
from cordyna_core.worker.host.loop import LoopTimers, Timer
from cordyna_core.worker.protocol import to_line

LATER_DELAY_S: Final = 0.002
_BUFFER_BYTES_MAX: Final = 64 * 1024


class Source(Protocol):
    """Something that is read from a body."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class EngineLink:
    """Sends events to the engine, each one line of JSON."""

    def __init__(self, backlog_bytes: int) -> None:
        self._backlog_bytes = backlog_bytes
        self._channel: Channel | None = None
        self._buffer = bytearray()
        self._may_wait = False
        self._timers: LoopTimers | None = None
        self._flush_timer: Timer | None = None
        # Each in the order of the last read, the least recent first.
        self._frames: dict[Source, None] = {}
        self._outputs: dict[Source, None] = {}
        self.is_congested = False

    def attach(self, channel: Channel, timers: LoopTimers | None = None) -> None:
        """Send to this channel from now on."""
        self._timers = timers
        self._channel = channel
        channel.on_drained = self._drained

    def event(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        self._send(to_line({"event": kind, **fields}))

    def started(self, frame: bytes) -> None:
        """Send the frame of a state that is not final, at the latest after `LATER_DELAY_S`.

        Most attempts are short: their final state follows at once, and wakes the engine once.
        """
        self._send_later(b'{"event":"state","frame":%b}\n' % frame.rstrip(b"\n"))

    def ended(self, **fields: Any) -> None:
        """Send the end of an attempt whose final state was sent before it, likewise."""
        self._send_later(to_line({"event": "ended", **fields}))

    def state(
        self, frame: bytes, ended: str | None = None, started_at: float | None = None
    ) -> None:
        """Send the frame of a TaskStateChanged, with the end of its attempt if that is the end.

        `started_at`: when the body began, if that was not sent before.
        """
        extra = f'"ended":"{ended}",' if ended else ""
        if started_at is not None:
            extra += f'"started_at":{started_at!r},'
        self._send(b'{"event":"state",%b"frame":%b}\n' % (extra.encode(), frame.rstrip(b"\n")))

    def add_frames(self, source: Source) -> None:
        """Pause `source`, which has the frames of a body, while the engine is behind."""
        self._add(self._frames, source)

    def add_output(self, source: Source) -> None:
        """Pause `source`, which has output, while the engine is behind."""
        self._add(self._outputs, source)

    def _add(self, sources: dict[Source, None], source: Source) -> None:
        sources[source] = None
        if self.is_congested:
            source.pause_reading()

    def note_read(self, source: Source) -> None:
        """Note that `source` was read: when reading resumes, the others come first."""
        for sources in (self._frames, self._outputs):
            if source in sources:
                del sources[source]
                sources[source] = None

    def remove_source(self, source: Source) -> None:
        """Forget a source that has ended."""
        self._frames.pop(source, None)
        self._outputs.pop(source, None)

    def _send_later(self, line: bytes) -> None:
        may_wait = self._may_wait or not self._buffer
        self._send(line)
        if may_wait and self._buffer and self._timers is not None:
            self._may_wait = True
            if self._flush_timer is None:
                self._flush_timer = self._timers.after(LATER_DELAY_S, self.flush)

    def _send(self, line: bytes) -> None:
        if self._channel is None:
            return
        # Sent at the end of the loop's turn: several events are one system call.
        self._may_wait = False
        self._buffer += line
        if len(self._buffer) > _BUFFER_BYTES_MAX:
            self.flush()

    def end_turn(self) -> None:
        """Send what has been collected, unless it may wait."""
        if not self._may_wait:
            self.flush()

    def flush(self) -> None:
        """Send what has been collected."""
        self._may_wait = False
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        if not self._buffer or self._channel is None:
            return
        self._channel.send(bytes(self._buffer))
        self._buffer.clear()
        if not self.is_congested and self._channel.waiting_bytes > self._backlog_bytes:
            self.is_congested = True
            self._each(lambda source: source.pause_reading())

    def _drained(self) -> None:
        if (
            self.is_congested
            and self._channel is not None
            and self._channel.waiting_bytes <= self._backlog_bytes // 2
        ):
            self.is_congested = False
            self._each(lambda source: source.resume_reading())

    def _each(self, action: Callable[[Source], None]) -> None:
        for source in [*self._frames, *self._outputs]:
            action(source)
