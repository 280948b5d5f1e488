"""Load promises: what holds for the clocks however much waits in cerebro's queues.

Without faults other than a lack of capacity:

1. a server that answered in time has no clock error in the end;
2. and no second body of its task runs;
3. a command leaves with nearly all of its time to acknowledge before it;
4. a page has few timers;
5. a server that does not answer is reported within about two seconds of its clock while messages do
   not wait, and otherwise within the ages of the queues that the decision passes. A check decides
   so many task runs in one message (25); the others of their page follow, a message after another.

With faults, an update that arrives heals an expiry, whenever it arrives; `Reference` checks that
(docs/rules.md, rules 1 and 17).

Invariant: it only observes.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core.effects import WriteTask
from cerebro.core.model import plan
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import Rank
from cerebro.core.run import overdue_check, page_check, page_timers
from cerebro.simulator.checks.reference_facts import RANK_OF_STATE
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.server_behavior import Attempt, SimulatedServer
from cordyna_core.contract.commands import RunTask

EXPIRIES: Final = frozenset({Rank.ACK_TIMEOUT, Rank.START_TIMEOUT, Rank.RUN_TIMEOUT})
IDLE_AGE_MAX_S: Final = 0.5
"""While no message waits for longer than this, the system is idle."""

COMMAND_DELAY_MAX_S: Final = 0.5
"""How long after its clock started a command leaves: others of its group of ten precede it."""

TIMERS_MAX: Final = (20, 2)
"""Timers of a run at most: the first number for each page, the second for each attempt.

A run of an hour, whose clocks run out, is swept four times, each time with a timer for every page.
"""

HOP_MAX_S: Final = 0.51
"""How long a message of cerebro takes to its queue at most; what it waits there is its age."""

CALLS_S: Final = 0.05
DECISION_S: Final = 0.011
"""How long a handler of a timer or a check works: for its reads and messages, and a decision."""


class LoadPromises:
    """The expiries of a world so far, and what was promised about them.

    `has_faults`: anything but capacity delays or loses messages.
    """

    def __init__(
        self,
        store: MemoryStore,
        servers: Mapping[str, SimulatedServer],
        *,
        has_faults: bool,
    ) -> None:
        self.false_expiries: set[Attempt] = set()
        self.expiries = 0
        self.latest_s = 0.0
        self.slowest_command_s = 0.0
        self.timers: Counter[str] = Counter()
        """How many page timers were sent for each run."""
        self._store, self._servers, self._has_faults = store, servers, has_faults

    def expired(
        self, snapshot: RunSnapshot, effect: WriteTask, now: float, ages_s: Mapping[str, float]
    ) -> None:
        """Note an expiry; `ages_s` are the longest waits by queue, empty without capacity.

        Raises Unexpected if it is too late.
        """
        seen = effect.seen
        assert seen is not None
        assert seen.deadline is not None
        self.expiries += 1
        task = snapshot.plan.tasks[effect.index]
        attempt = (effect.run_id, task.name, seen.attempt)
        reported = self._servers[task.server].reported.get(attempt, {})
        # A server may have lied about the attempt before it was sent: that is not an answer.
        if any(
            RANK_OF_STATE[state] > seen.rank and seen.dispatched_at <= at <= seen.deadline
            for state, at in reported.items()
        ):
            self.false_expiries.add(attempt)
        late_s = now - seen.deadline
        self.latest_s = max(self.latest_s, late_s)
        if ages_s and not self._has_faults and late_s > delay_max_s(ages_s, effect.index):
            raise Unexpected(f"{task.name} was reported {late_s:.1f} s after its clock, too late")

    def sent(
        self, snapshot: RunSnapshot, command: RunTask, now: float, ages_s: Mapping[str, float]
    ) -> None:
        """Note a command. Raises Unexpected if its clock has been running for too long."""
        if not ages_s or self._has_faults or command.ack_by is None:
            return
        task = snapshot.plan.tasks[snapshot.plan.index_of[command.task]]
        delay_s = now - (command.ack_by.timestamp() - task.ack_timeout_s)
        self.slowest_command_s = max(self.slowest_command_s, delay_s)
        if delay_s > COMMAND_DELAY_MAX_S:
            raise Unexpected(f"{command.task} was sent {delay_s:.1f} s after its clock started")

    def at_rest(self, run_id: str) -> None:
        """Check a run that has ended. Raises Unexpected."""
        if self._has_faults:
            return
        snapshot = self._store.read_run_snapshot(run_id)
        assert snapshot is not None
        self._check_timers(run_id, len(snapshot.plan.pages))
        for index, fact in self._store._tasks[run_id].items():
            task = snapshot.plan.tasks[index]
            attempt = (run_id, task.name, fact.attempt)
            if fact.rank in EXPIRIES and attempt in self.false_expiries:
                raise Unexpected(f"{task.name} ends with {fact.reason}, but it answered in time")
            if task.server:
                self._check_bodies(task.name, task.server, run_id, fact.attempt)

    def _check_timers(self, run_id: str, pages: int) -> None:
        attempts = sum(fact.attempt for fact in self._store._tasks[run_id].values())
        per_page, per_attempt = TIMERS_MAX
        if self.timers[run_id] > per_page * pages + per_attempt * attempts:
            raise Unexpected(f"{attempts} attempts of a run had {self.timers[run_id]} timers")

    def _check_bodies(self, task: str, server: str, run_id: str, attempts: int) -> None:
        bodies = self._servers[server].bodies
        ran = [n for n in range(1, attempts + 1) if bodies.get((run_id, task, n))]
        for attempt in ran[:-1]:
            if (run_id, task, attempt) in self.false_expiries:
                raise Unexpected(f"a second body of {task} ran, but the first had answered in time")
        # An update that comes twice at one time may send what it dispatches twice, and so does a
        # command that its client repeats.
        run = self._store.read_run(run_id)
        is_repeated = run is not None and bool(run.commands)
        is_repeated |= any(other.behavior.twice for other in self._servers.values())
        if not is_repeated and any(bodies[run_id, task, n] > 1 for n in ran):
            raise Unexpected(f"an attempt of {task} ran twice")


def delay_max_s(ages_s: Mapping[str, float], index: int) -> float:
    """Return how late the expiry of a task run may be: the sum of what its decision passes.

    Its timer, a hop and a wait; then the check, once or in turns, and the parts of the check before
    its own, each of which is a message with a hop, a wait and its work.
    """
    tracker, timekeeper = ages_s["tracker"], ages_s["timekeeper"]
    is_idle = max(tracker, timekeeper) <= IDLE_AGE_MAX_S
    timer_s = page_check.NEXT_TIMER_AFTER_S + (0.0 if is_idle else page_timers.PAGE_CHECK_DELAY_S)
    may_turn = HOP_MAX_S + tracker > overdue_check.REQUEUED_AFTER_S
    turns = overdue_check.TURNS_MAX if may_turn else 0
    decisions = overdue_check.DECISIONS_PER_CHECK
    parts = index % plan.PAGE_SIZE // decisions
    message_s = HOP_MAX_S + tracker + CALLS_S + decisions * DECISION_S
    return timer_s + HOP_MAX_S + timekeeper + CALLS_S + (turns + parts + 1) * message_s
