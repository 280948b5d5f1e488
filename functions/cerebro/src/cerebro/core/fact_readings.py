"""Fact readings: the facts of a run as they were read, and what is derived from all of them.

Invariant: a reading that was updated equals a reading of all facts. Its cost depends on what has
changed, and on the size of the run only where a failure, a cancellation or the end changes what
other tasks are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from cerebro.core.model.plan import Plan
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.run_status import run_liveness
from cerebro.core.views import CANCELLED, Word, word_of

_AT_WORK: Final = (Rank.QUEUED, Rank.STARTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactReading:
    """A run at one moment.

    Fields:
        failed: the indexes that failed permanently.
        blocked: those that wait for a failed one.
        at_work: those that a server works at.
        words: how many of the tasks that are shown have each state and reason.
    """

    run: Run
    snapshot: RunSnapshot
    facts: Mapping[int, TaskRun]
    failed: frozenset[int]
    blocked: frozenset[int]
    at_work: frozenset[int]
    words: Mapping[Word, int]

    def word_at(self, index: int) -> Word:
        """Return the state of a task run, and its reason."""
        return word_of(self.run, self.facts.get(index), is_blocked=index in self.blocked)


def fact_reading(run: Run, snapshot: RunSnapshot, facts: Mapping[int, TaskRun]) -> FactReading:
    """Return the reading of all facts of a run."""
    plan = snapshot.plan
    failed = frozenset(_failed(facts))
    blocked = _blocked(plan, facts) if failed else frozenset[int]()
    return FactReading(
        run=run,
        snapshot=snapshot,
        facts=facts,
        failed=failed,
        blocked=blocked,
        at_work=frozenset(_at_work(facts)),
        words=Counter(
            word_of(run, facts.get(index), is_blocked=index in blocked)
            for index in plan.position_of
        ),
    )


def updated_reading(
    last: FactReading, run: Run, read: Mapping[int, TaskRun]
) -> tuple[FactReading, frozenset[int]]:
    """Return the reading after `read`, facts that may differ from the last, and which do."""
    before = last.facts
    new = {
        index: fact
        for index, fact in read.items()
        if (known := before.get(index)) is not fact and known != fact
    }
    changed = frozenset(new)
    facts = {**before, **new} if new else before
    if (run.status == CANCELLED) != (last.run.status == CANCELLED):
        return fact_reading(run, last.snapshot, facts), changed
    failed = (last.failed - changed) | frozenset(_failed(new))
    blocked = last.blocked
    # A task that a rerun lets wait again may be blocked by what failed before.
    has_moved = failed != last.failed or changed & blocked
    if has_moved or any(fact.is_waiting for fact in new.values()):
        blocked = _blocked(last.snapshot.plan, facts) if failed else frozenset[int]()
    reading = FactReading(
        run=run,
        snapshot=last.snapshot,
        facts=facts,
        failed=failed,
        blocked=blocked,
        at_work=(last.at_work - changed) | frozenset(_at_work(new)),
        words={},
    )
    words = _updated_words(last, reading, changed | (last.blocked ^ blocked))
    return replace(reading, words=words), changed


def _updated_words(
    last: FactReading, reading: FactReading, indexes: Iterable[int]
) -> Mapping[Word, int]:
    words, position_of = Counter(last.words), last.snapshot.plan.position_of
    for index in indexes:
        if index in position_of:
            words[last.word_at(index)] -= 1
            words[reading.word_at(index)] += 1
    return {word: count for word, count in words.items() if count}


def _failed(facts: Mapping[int, TaskRun]) -> Iterable[int]:
    return (index for index, fact in facts.items() if fact.failed_permanently)


def _at_work(facts: Mapping[int, TaskRun]) -> Iterable[int]:
    return (index for index, fact in facts.items() if fact.rank in _AT_WORK)


def _blocked(plan: Plan, facts: Mapping[int, TaskRun]) -> frozenset[int]:
    return run_liveness(plan, facts).blocked
