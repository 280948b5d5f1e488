"""Transitions: which state of a task run follows which.

Theory of operation. A task run is a register that only moves up. Its position is (attempt, rank),
compared as a pair, and its state is the highest position that was ever reported. Updates may
therefore arrive twice, late, or in any order: the maximum of a set does not depend on the order in
which its members are looked at.

TRANSITIONS below is the whole machine. A row is the rank of the current attempt, a column is what
arrives. The answer is one of:

    a rank         the fact moves to it; it is always higher than the row
    NEXT_ATTEMPT   this attempt ends, and the next one begins as PENDING
    NEXT_WAITING   this attempt ends, and the next one begins as WAITING
    LATE           the update is about an older attempt: it joins the timeline, nothing else changes
    IGNORE         nothing is written

The last five columns are not updates of the current attempt. `deadline` applies only while a
deadline is open: the clock of a live attempt has expired, or the back-off of a failed one has
ended. `retry` (a RetryRun) applies only to a permanent failure, `cancel` (a CancelRun) only while a
deadline is open. `rerun` is a RetryRun with `downstream`. A task run without a fact is waiting; its
first attempt begins as PENDING, or as WAITING by a rerun.

Each of the three clocks has an expiry rank of its own, just above the state that it waited in. An
expiry means "nothing heard yet", so a later update of the same attempt outranks it and brings the
attempt back. A failure that the server reported (ERROR) can only be outranked by its completion.

An attempt that failed has a next one while attempts are left and its reason is retryable; then its
deadline is the end of the back-off. Otherwise it has no deadline, which is what "failed
permanently" means.

What else the new fact says (deadline, budget, output, timeline) is in new_facts.py.

Invariant: an input that the table ignores changes no state. Its effects are repeated all the same,
because its first delivery may have crashed before it performed them (docs/rules.md, rule 1).
"""

from enum import Enum, auto
from typing import Final

from cerebro.core.model.task_run import Rank, TaskRun, lattice
from cerebro.core.run.timeline import END_STATES
from cordyna_core.contract.state_updates import TaskStateChanged


class Input(Enum):
    """What can arrive for a task run. The values of the first four are states of the contract."""

    QUEUED = "queued"
    STARTED = "started"
    ERROR = "error"
    COMPLETED = "completed"
    DEADLINE = "deadline"
    OLDER_END = "older end"
    RETRY = "retry"
    RERUN = "rerun"
    CANCEL = "cancel"


class Outcome(Enum):
    """The answers of the table that are not a rank."""

    NEXT_ATTEMPT = auto()
    NEXT_WAITING = auto()
    LATE = auto()
    IGNORE = auto()


# fmt: off
(
    _WAIT, _PENDING, _ACK_T, _QUEUED, _START_T, _STARTED, _RUN_T, _ERROR, _DONE, _CANCEL,
) = Rank
_NEXT, _AGAIN, _LATE, _x = Outcome

_ROWS: Final[dict[Rank, tuple[Rank | Outcome, ...]]] = {
    # rank     queued    started   error   completed deadline  older end retry  rerun   cancel
    _WAIT:    (_x,       _x,       _x,     _x,       _x,       _LATE,    _x,    _x,     _x),
    _PENDING: (_QUEUED,  _STARTED, _ERROR, _DONE,    _ACK_T,   _LATE,    _x,    _AGAIN, _CANCEL),
    _ACK_T:   (_QUEUED,  _STARTED, _ERROR, _DONE,    _NEXT,    _LATE,    _NEXT, _AGAIN, _CANCEL),
    _QUEUED:  (_x,       _STARTED, _ERROR, _DONE,    _START_T, _LATE,    _x,    _AGAIN, _CANCEL),
    _START_T: (_x,       _STARTED, _ERROR, _DONE,    _NEXT,    _LATE,    _NEXT, _AGAIN, _CANCEL),
    _STARTED: (_x,       _x,       _ERROR, _DONE,    _RUN_T,   _LATE,    _x,    _AGAIN, _CANCEL),
    _RUN_T:   (_x,       _x,       _ERROR, _DONE,    _NEXT,    _LATE,    _NEXT, _AGAIN, _CANCEL),
    _ERROR:   (_x,       _x,       _x,     _DONE,    _NEXT,    _LATE,    _NEXT, _AGAIN, _CANCEL),
    _DONE:    (_x,       _x,       _x,     _x,       _x,       _LATE,    _x,    _AGAIN, _x),
    _CANCEL:  (_x,       _x,       _x,     _x,       _x,       _LATE,    _x,    _x,     _x),
}
# fmt: on

TRANSITIONS: Final[dict[tuple[Rank, Input], Rank | Outcome]] = {
    (rank, arrived): outcome
    for rank, row in _ROWS.items()
    for arrived, outcome in zip(Input, row, strict=True)
}
"""The state machine of a task run; `docs/states.md` is drawn from it."""

EXPIRY_REASON: Final = {
    Rank.ACK_TIMEOUT: "ack_timeout",
    Rank.START_TIMEOUT: "start_timeout",
    Rank.RUN_TIMEOUT: "run_timeout",
}
"""The reason of each expiry."""


_UPDATES: Final = {
    arrived.value: arrived
    for arrived in (Input.QUEUED, Input.STARTED, Input.ERROR, Input.COMPLETED)
}
SERVER_STATES: Final = frozenset(_UPDATES)
"""The states that a task server may report."""


def outcome_of(fact: TaskRun, update: TaskStateChanged, *, is_too_large: bool) -> Rank | Outcome:
    """Return what a server's update leads to; `is_too_large`: its output is, so it is an error."""
    arrived = Input.ERROR if is_too_large else _UPDATES.get(update.state)
    if arrived is None or update.attempt > fact.attempt:
        return Outcome.IGNORE
    if update.attempt < fact.attempt:
        if update.state not in END_STATES:
            return Outcome.IGNORE
        arrived = Input.OLDER_END
    return TRANSITIONS[fact.rank, arrived]


def may_retry(fact: TaskRun) -> bool:
    """Return whether a RetryRun gives this task run a new attempt."""
    outcome = TRANSITIONS[fact.rank, Input.RETRY]
    return outcome is Outcome.NEXT_ATTEMPT and fact.failed_permanently


def may_rerun(fact: TaskRun | None) -> bool:
    """Return whether a rerun lets this task run wait for its upstream, or wait on."""
    if fact is None or fact.is_waiting:
        return True
    return TRANSITIONS[fact.rank, Input.RERUN] is Outcome.NEXT_WAITING


def has_not_moved(seen: TaskRun, stored: TaskRun) -> bool:
    """Return whether only the end of an older attempt was added since: its writer does no more."""
    return (lattice(seen), seen.deadline) == (lattice(stored), stored.deadline)
