"""Clocks: when the clock of an attempt expires, and how long a failed one waits for the next.

Invariant: both follow from the task, the attempt and the time alone, so a redelivery that decides
again decides the same pause.
"""

import hashlib
import math
from typing import Final

from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.task_run import Rank

_LARGEST_EXPONENT: Final = 500.0
"""Of e: what grows beyond it is larger than every pause."""


def deadline_of(task: PlannedTask, rank: Rank, *, dispatched_at: float, now: float) -> float:
    """Return when the clock of a live rank expires that is entered now.

    A queued attempt is waited for until the `start_by` of its command, because the server may begin
    it until then: a retry before that could overlap it (docs/rules.md, rule 3).
    """
    ack_by = dispatched_at + task.ack_timeout_s
    match rank:
        case Rank.PENDING:
            return ack_by
        case Rank.QUEUED:
            return max(now, ack_by) + task.start_timeout_s
    return now + task.run_timeout_s


def back_off_s(task: PlannedTask, attempt: int, *, run_id: str) -> float:
    """Return the seconds to wait after `attempt` failed (docs/rules.md, rule 3).

    Exponential, with a jitter of up to a quarter that a hash of run, task and attempt decides.
    """
    steps = attempt - 1
    pause = float(task.retry_max_delay_s)
    if steps * math.log(task.retry_backoff) < _LARGEST_EXPONENT:
        pause = min(pause, task.retry_delay_s * task.retry_backoff**steps)
    if not task.retry_jitter:
        return pause
    digest = hashlib.sha256(f"{run_id}/{task.name}/{attempt}".encode()).digest()
    return pause * (1 + digest[0] / 255 / 4)
