"""Worker owner: what a worker reports to."""

from typing import TYPE_CHECKING, Protocol

from cordyna_core.worker.attempt_record import AttemptRecord
from cordyna_core.worker.protocol import Frame

if TYPE_CHECKING:
    from cordyna_core.worker.worker import Worker


class WorkerOwner(Protocol):
    """What a worker reports to."""

    def on_worker_frame(self, worker: "Worker", frame: Frame) -> None:
        """A frame that is not about an attempt."""

    def on_worker_idle(self, worker: "Worker") -> None: ...

    def on_worker_leaving(self, worker: "Worker") -> None:
        """It takes no more work: its place is free."""

    def on_worker_stuck(self, worker: "Worker") -> None:
        """It was killed, but its end was not reported."""

    def on_worker_gone(self, worker: "Worker") -> None:
        """Its group has ended."""

    def on_attempt_unstarted(self, attempt: AttemptRecord, why: str) -> None:
        """It was given to this worker, and has certainly not begun: the system has no room."""

    def on_attempt_released(self, attempt: AttemptRecord, outcome: str) -> None: ...
