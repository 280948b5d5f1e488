"""Reasons: why a task run is in its state, one row each, with all that is known of it.

Invariant: this table is the only place that says so. Whether cerebro tries again, the sentence and
the next command that a person sees, the sign in a list and the table in docs/contract/README.md are
derived from it.

A row without `reason` describes a state by itself. A server may send a reason that is not in this
table with an `error`: `reason_of` answers with the row of the state then, so a newer server never
breaks an older reader. A reason that only cerebro gives is not taken from a server
(docs/rules.md, rule 3).
"""

from dataclasses import dataclass
from typing import Final

from cordyna_core.contract.base import State
from cordyna_core.contract.views.run_end import LATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How a state or reason looks in a list: `sign` and `word` tell it apart without colour.

    `style` is a colour of the terminal with its weight. `urgency` sorts what a person on call looks
    for to the front (0 first).
    """

    sign: str
    style: str
    word: str
    urgency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One row.

    Fields:
        is_retryable: whether an attempt that ended so is tried again while the task has retries
            left; None: it did not fail.
        is_fixable: whether `dyna retry` makes sense once the cause is fixed.
        is_reported: whether a task server may give it; else only cerebro does.
        meaning: for the documents.
        sentence: filled with `task`, `attempt`, `waits_for`, `blocked_by`, `reason`, `clock` (how
            long the one runs that ran out) and `error` (": type: message", or nothing).
        next_command: filled with `run`, `task`, `target` and `cause` (the task that this one waits
            for).
        note: a few words behind the task's line; empty where they depend on more than the reason.
        at_deadline: what happens when the running clock reaches its deadline.
    """

    state: State
    reason: str | None
    is_retryable: bool | None = None
    is_fixable: bool = False
    is_reported: bool = False
    meaning: str
    sentence: str
    next_command: str
    mark: Mark
    note: str = ""
    at_deadline: str = ""

    @property
    def key(self) -> str:
        """The reason; the state, for a row without one."""
        return self.reason or self.state


_ERROR: Final = Mark(sign="✗", style="bold red", word="error", urgency=0)
_WAITING: Final = Mark(sign="·", style="dim", word="waiting", urgency=7)

REASONS: Final = (
    Reason(
        state="pending",
        reason="waiting",
        meaning="it waits for upstream tasks",
        sentence="{task} waits for {waits_for}.",
        next_command="dyna why {run} {cause}",
        mark=_WAITING,
    ),
    Reason(
        state="pending",
        reason="blocked",
        meaning="an upstream task failed for good; derived when it is asked for, never stored",
        sentence="{task} is blocked: it needs {blocked_by}, which failed.",
        next_command="dyna why {run} {cause}",
        mark=Mark(sign="⊘", style="magenta", word="blocked", urgency=5),
    ),
    Reason(
        state="pending",
        reason="dispatched",
        meaning="its command was sent; the acknowledge clock runs",
        sentence="{task} was sent its command ({attempt}) and has not answered yet.",
        next_command="dyna servers",
        mark=Mark(sign="→", style="cyan", word="dispatched", urgency=3),
        at_deadline="without an answer it ends in error (ack_timeout)",
    ),
    Reason(
        state="pending",
        reason="retry_wait",
        meaning="an attempt failed, and the next one is sent when the pause ends",
        sentence="{task} failed ({attempt}) and is tried again after a pause{error}.",
        next_command="dyna logs {run} {task}",
        mark=Mark(sign="↻", style="yellow", word="retry wait", urgency=1),
        at_deadline="the next attempt is sent",
    ),
    Reason(
        state="queued",
        reason=None,
        is_reported=True,
        meaning="its server has the command and is busy",
        sentence="{task} has been taken by its server ({attempt}), which is busy with other tasks.",
        next_command="dyna watch {run}",
        mark=Mark(sign="◔", style="cyan", word="queued", urgency=4),
        at_deadline="if it has not started, it ends in error (start_timeout)",
    ),
    Reason(
        state="started",
        reason=None,
        is_reported=True,
        meaning="its server runs it now",
        sentence="{task} is running ({attempt}).",
        next_command="dyna watch {run}",
        mark=Mark(sign="●", style="bold blue", word="started", urgency=2),
        at_deadline="if it has not ended, it ends in error (run_timeout)",
    ),
    Reason(
        state="completed",
        reason=None,
        is_reported=True,
        meaning="its server finished it",
        sentence="{task} completed ({attempt}).",
        next_command="dyna show {run}",
        mark=Mark(sign="✓", style="green", word="completed", urgency=8),
    ),
    Reason(
        state="completed",
        reason="reused",
        meaning="cerebro reused a result that was fresh enough",
        sentence="{task} was not run: a result that is fresh enough was reused.",
        next_command="dyna do {task}   (runs it anew)",
        mark=Mark(sign="≡", style="green", word="reused", urgency=8),
        note="a fresh enough result",
    ),
    Reason(
        state="error",
        reason="failed",
        is_retryable=True,
        is_fixable=True,
        is_reported=True,
        meaning="the body failed",
        sentence="{task} failed ({attempt}){error}.",
        next_command="dyna logs {run} {task}",
        mark=_ERROR,
    ),
    Reason(
        state="error",
        reason="failed_terminal",
        is_retryable=False,
        is_fixable=True,
        is_reported=True,
        meaning="the body failed, and said that no further attempt can succeed",
        sentence="{task} failed ({attempt}) in a way that trying again does not fix{error}.",
        next_command="dyna logs {run} {task}",
        mark=_ERROR,
    ),
    Reason(
        state="error",
        reason="ack_timeout",
        is_retryable=True,
        is_fixable=True,
        meaning="no answer to the command until the acknowledge clock ran out",
        sentence="{task} did not acknowledge the command ({attempt}) within {clock}: "
        "its server is down, or does not receive it.",
        next_command="dyna servers",
        mark=_ERROR,
        note="not acknowledged in time",
    ),
    Reason(
        state="error",
        reason="start_timeout",
        is_retryable=True,
        is_fixable=True,
        meaning="queued, but not started until the start clock ran out",
        sentence="{task} was queued ({attempt}) but not started within {clock}: "
        "its server is too busy.",
        next_command="dyna servers",
        mark=_ERROR,
        note="queued, but not started in time",
    ),
    Reason(
        state="error",
        reason="run_timeout",
        is_retryable=True,
        is_fixable=True,
        is_reported=True,
        meaning="started, but not finished until the run clock ran out",
        sentence="{task} was started ({attempt}) but did not finish within {clock}.",
        next_command="dyna logs {run} {task}",
        mark=_ERROR,
        note="started, but not finished in time",
    ),
    Reason(
        state="error",
        reason="worker_died",
        is_retryable=True,
        is_fixable=True,
        is_reported=True,
        meaning="the process of the body ended without a result: out of memory, killed, its limit",
        sentence="{task} was started ({attempt}), but its worker died{error}.",
        next_command="dyna logs {run} {task}",
        mark=_ERROR,
        note="its worker died",
    ),
    Reason(
        state="error",
        reason="killed",
        is_retryable=True,
        is_fixable=True,
        is_reported=True,
        meaning="its container was stopped while the body ran",
        sentence="{task} was started ({attempt}), but its container was stopped{error}.",
        next_command="dyna retry {run}",
        mark=_ERROR,
        note="its container was stopped",
    ),
    Reason(
        state="error",
        reason="cancelled",
        is_retryable=False,
        meaning="its run was cancelled",
        sentence="{task} was cancelled with its run.",
        next_command="dyna do {target}",
        mark=Mark(sign="⊗", style="red", word="cancelled", urgency=6),
    ),
    Reason(
        state="error",
        reason="refused",
        is_retryable=False,
        is_fixable=True,
        is_reported=True,
        meaning="its server refused the command",
        sentence="{task} was refused by its server ({attempt}){error}.",
        next_command="dyna logs {run} {task}",
        mark=_ERROR,
    ),
    Reason(
        state="error",
        reason=None,
        is_retryable=True,
        is_fixable=True,
        is_reported=True,
        meaning="any other reason that a server gives",
        sentence="{task} failed ({attempt}), and its server says: {reason}{error}.",
        next_command="dyna logs {run} {task}",
        mark=_ERROR,
    ),
)

_BY_STATE_AND_REASON: Final = {(row.state, row.reason): row for row in REASONS}


def reason_of(state: State, reason: str | None) -> Reason:
    """Return the row of a state and reason; that of the state alone for a reason without a row."""
    row = _BY_STATE_AND_REASON.get((state, reason)) or _BY_STATE_AND_REASON.get((state, None))
    return row or _BY_STATE_AND_REASON[("pending", "waiting")]


_ONLY_CEREBRO: Final = frozenset(
    [LATE, *(row.reason for row in REASONS if row.reason is not None and not row.is_reported)]
)


def is_reserved(reason: str) -> bool:
    """Return whether only cerebro gives this reason."""
    return reason in _ONLY_CEREBRO


def is_retryable(reason: str) -> bool:
    """Return whether an error for `reason` is tried again while the task has retries left."""
    return reason_of("error", reason).is_retryable is True
