"""Body cancellation: how the body of one attempt learns of its CancelTask.

Invariant: the connection is read only by the thread that asks, or by the event loop of an
`async def` body; nothing polls.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cordyna_core.worker.body.channel import BodyChannel

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


class BodyCancellation:
    """Implements server.cancellation.Cancellation for one attempt."""

    def __init__(self, channel: BodyChannel) -> None:
        self._channel = channel
        self._is_requested = False
        self._was_asked = False

    def __call__(self) -> bool:
        if not self._was_asked:
            # The question before the body: the host has given the attempt in this very moment.
            self._was_asked = True
        elif not self._is_requested:
            frames = self._channel.poll()
            self._is_requested = any(frame.detail_type == "CancelTask" for frame in frames)
        return self._is_requested

    def watch(self, loop: "AbstractEventLoop", interrupt: Callable[[], None]) -> Callable[[], None]:
        descriptor = self._channel.fileno()

        def check() -> None:
            if self():
                interrupt()
            if self._is_requested or self._channel.has_ended:
                # A connection that has ended stays readable.
                loop.remove_reader(descriptor)

        def unwatch() -> None:
            loop.remove_reader(descriptor)

        loop.add_reader(descriptor, check)
        # The command may have been read already, with the one before it.
        loop.call_soon(check)
        return unwatch
