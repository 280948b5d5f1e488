"""Visibility: keeps a message of the work queue while its body runs, and no longer.

Invariant: a message whose worker died is delivered again within VISIBILITY_S, whatever visibility
timeout the queue has: for an SQS event source that is six times the function's timeout.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cordyna_core.aws.work_queue import QueuedCommand, WorkQueue
from cordyna_core.aws.worker_death import ObservedClaims

VISIBILITY_S: Final = 45
"""How long a message stays with a worker that was killed."""

HEARTBEAT_INTERVAL_S: Final = 15.0
"""Visibility is extended this often; SQS redelivers a message after two missed extensions."""

_log = logging.getLogger("cordyna.server")


@contextmanager
def kept_visible_to_this_worker(
    queue: WorkQueue, delivery: QueuedCommand, claims: ObservedClaims | None
) -> Iterator[None]:
    """Extend the visibility of a message, and the lease of its claim, until the context ends."""
    ended = threading.Event()

    def extend() -> None:
        while not ended.wait(HEARTBEAT_INTERVAL_S):
            extend_visibility(queue, delivery, claims)

    extend_visibility(queue, delivery, claims)
    heartbeat = threading.Thread(target=extend, name="heartbeat", daemon=True)
    heartbeat.start()
    try:
        yield
    finally:
        ended.set()
        heartbeat.join()


def extend_visibility(
    queue: WorkQueue, delivery: QueuedCommand, claims: ObservedClaims | None
) -> None:
    """Keep a message for another VISIBILITY_S; a failure is logged.

    The lease is renewed first, so that it ends before the message may be delivered again.
    """
    if claims is not None:
        claims.renew()
    try:
        queue.hold(delivery, VISIBILITY_S)
    except Exception:  # noqa: BLE001  the next heartbeat tries again
        _log.warning("the visibility of a message was not extended", exc_info=True)
