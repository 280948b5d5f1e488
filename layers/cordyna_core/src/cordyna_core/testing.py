"""Testing: what stands in for a platform in tests, and the laws that every platform's adapter keeps.

Law: what is here does what the ports say, no less; a suite of laws knows no adapter.
"""

from collections.abc import Sequence

from cordyna_core.contract.message import Message


class RecordingBus:
    """A Bus that keeps what is published."""

    def __init__(self) -> None:
        self.published: list[Message] = []

    def publish(self, messages: Sequence[Message]) -> None:
        self.published.extend(messages)


class MemoryClaims:
    """Claims of one process."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str, int], object] = {}

    def claim(self, run_id: str, task: str, attempt: int) -> bool:
        mine = object()
        # setdefault is one step, also between threads.
        return self._taken.setdefault((run_id, task, attempt), mine) is mine
