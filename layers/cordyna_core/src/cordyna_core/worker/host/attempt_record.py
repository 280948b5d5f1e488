"""Attempt record: one command in the host, from its arrival to the end of its worker.

Invariant: every time of an attempt is the engine's, at the pace of the monotonic clock: the times
of its states are in the order in which the states arose, however they are handled.
"""

from cordyna_core.worker.host.loop import Timer
from cordyna_core.worker.host.output_capture import AttemptOutput
from cordyna_core.worker.host.services import Services
from cordyna_core.worker.verdicts import AttemptCommand


class AttemptRecord:
    """A command with its frame, and what has become of it."""

    __slots__ = (
        "_cut_timer", "_monotonic", "cancel_requested", "command", "frame", "given_at",
        "has_final", "held_start_at", "is_alone", "is_end_reported", "is_queued", "is_started",
        "output", "progress_count", "stop_reason", "timers",
    )  # fmt: skip

    def __init__(self, command: AttemptCommand, frame: bytes, services: Services) -> None:
        self.command, self.frame = command, frame
        self._monotonic = services.monotonic
        self.given_at = self.now()
        """When a worker got it; until then, when it arrived."""
        self.is_queued = False
        self.is_started = False
        self.held_start_at: float | None = None
        """When the body began, until that is reported."""
        self.has_final = False
        self.is_end_reported = False
        self.is_alone = False
        """Its server had nothing else to do when a worker got it: it is to be answered soon."""
        self.progress_count = 0
        self.cancel_requested = False
        self.stop_reason: str | None = None
        self.timers: list[Timer] = []
        self._cut_timer: Timer | None = None
        settings, link = services.settings, services.link
        self.output = AttemptOutput(
            lambda stream, text: link.event(
                "output", key=command.key, server=command.server, stream=stream, text=text,
                at=self.now(),
            ),
            lambda size: link.event("cut", key=command.key, server=command.server, bytes=size),
            head_bytes=settings.head_bytes,
            tail_bytes=settings.tail_bytes,
        )  # fmt: skip

    @property
    def end_reason(self) -> str | None:
        """Why the host ends the attempt, or has passed a cancellation on; None if neither."""
        return self.stop_reason or ("cancelled" if self.cancel_requested else None)

    def now(self) -> float:
        """Return the engine's UTC seconds."""
        return self.at(self._monotonic())

    def at(self, monotonic: float) -> float:
        """Return the engine's UTC seconds at a moment of the monotonic clock."""
        return self.command.clock_offset_s + monotonic

    def is_stale(self) -> bool:
        """Return whether a body may not start any more (docs/rules.md, stale commands)."""
        command, now = self.command, self.now()
        return now > command.start_by or (not self.is_queued and now > command.ack_by)

    def take_held_start(self) -> float | None:
        """Return when the body began, if that has not been reported.

        It is the caller's to do so.
        """
        held_at, self.held_start_at = self.held_start_at, None
        return held_at

    def report_cuts(self, services: Services) -> None:
        """Report how much of its output is left out, now and then until it has ended."""

        def report() -> None:
            if not self.has_final:
                self.output.report()
                self.report_cuts(services)

        self._cut_timer = services.loop.timers.after(services.settings.cut_report_s, report)

    def cancel_timers(self) -> None:
        """No clock runs for this attempt any more."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()
        if self._cut_timer is not None:
            self._cut_timer.cancel()
