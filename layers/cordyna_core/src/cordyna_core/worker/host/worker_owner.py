"""Worker owner: what a worker reports to.

Invariant: of an attempt that was given to a worker, one of the last two is reported, once.
"""

from typing import Protocol, TypeVar

from cordyna_core.worker.host.attempt_record import AttemptRecord
from cordyna_core.worker.protocol import Frame

WorkerT_contra = TypeVar("WorkerT_contra", contravariant=True)


class WorkerOwner(Protocol[WorkerT_contra]):
    """What a worker reports to."""

    def on_worker_frame(self, worker: WorkerT_contra, frame: Frame) -> None:
        """A frame that is not about an attempt."""

    def on_unreadable_frame(self, worker: WorkerT_contra, why: str) -> None: ...
    def on_worker_idle(self, worker: WorkerT_contra) -> None: ...

    def on_worker_leaving(self, worker: WorkerT_contra) -> None:
        """It takes no more work: its place is free."""

    def on_worker_stuck(self, worker: WorkerT_contra) -> None:
        """It was killed, but its end was not reported."""

    def on_worker_gone(self, worker: WorkerT_contra) -> None:
        """Its group has ended."""

    def on_attempt_unstarted(self, attempt: AttemptRecord, why: str) -> None:
        """It was given to this worker, and has certainly not begun: the system has no room."""

    def on_attempt_released(self, attempt: AttemptRecord, outcome: str) -> None: ...
