"""Rerun promises: what becomes of an attempt that a rerun overtakes, and what tasks are given.

A dispatch reads the upstreams and then writes its fact, and a rerun may write an upstream in
between. Such an attempt is overtaken.

Invariant: a rerun begins the next attempt of each task that was overtaken before it is applied. At
the end, the accepted attempt of every task was given the outputs that its upstreams have then
(docs/rules.md, rule 7).
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Final

from cerebro.adapters.memory import MemoryStore
from cerebro.core.effects import WriteTask
from cerebro.core.model.plan import Plan
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.simulator.checks.reference_messages import Outputs
from cordyna_core.contract.commands import RunTask

_NEVER_MADE: Final = object()


class RerunPromises:
    """The attempts that were overtaken, and the commands that were sent."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._overtaken: dict[tuple[str, int], tuple[int, set[str]]] = {}
        """The attempt of each task run that was overtaken, and the reruns that did it."""
        self._asked: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)
        """The attempts of each run that a rerun asked for, by (index, attempt)."""
        self._reruns: defaultdict[str, set[str]] = defaultdict(set)
        """What made tasks of each run wait."""
        self._sent: defaultdict[tuple[str, str, int], list[RunTask]] = defaultdict(list)

    def task_written(self, plan: Plan, effect: WriteTask) -> None:
        """Note an attempt that was begun although an upstream waits, and the one after it."""
        seen, new = effect.seen, effect.new
        if new.is_waiting:
            self._asked[effect.run_id].add((effect.index, new.attempt))
            self._reruns[effect.run_id].add(new.cause)
        if seen is not None and seen.attempt == new.attempt and not seen.is_waiting:
            return
        facts = self._store._tasks[effect.run_id]
        awaited = (facts[up] for up in plan.tasks[effect.index].awaits if up in facts)
        reruns = {fact.cause for fact in awaited if fact.is_waiting}
        if reruns and not new.is_waiting:
            self._overtaken[effect.run_id, effect.index] = new.attempt, reruns
        else:
            self._overtaken.pop((effect.run_id, effect.index), None)

    def is_overtaken(self, run_id: str, index: int, attempt: int) -> bool:
        """Return whether this attempt was begun although an upstream waited again."""
        return self._overtaken.get((run_id, index), (0,))[0] == attempt

    def unless_asked(self, run_id: str, pending: Callable[[str], bool]) -> dict[int, TaskRun]:
        """Return the facts of a run without the attempts of a rerun that is not acknowledged.

        A heal may open the run and another input begin such an attempt. If the target, which the
        rerun has not reached, is completed, the run ends once more before the rerun opens it.
        """
        facts, asked = self._store._tasks[run_id], self._asked[run_id]
        if not asked or not any(pending(cause) for cause in self._reruns[run_id]):
            return facts
        return {index: fact for index, fact in facts.items() if (index, fact.attempt) not in asked}

    def left_by(self, cause: str) -> str | None:
        """Return what the rerun `cause` overtook and left as it is, now that it is acknowledged."""
        for (run_id, index), (attempt, reruns) in self._overtaken.items():
            run, snapshot = self._store.read_run(run_id), self._store.read_run_snapshot(run_id)
            if cause in reruns and run and snapshot and run.status != "cancelled":
                name = snapshot.plan.tasks[index].name
                return f"{name}: attempt {attempt} was overtaken by a rerun, which left it"
        return None

    def sent(self, command: RunTask) -> None:
        """Note a command that carries outputs."""
        if command.upstream:
            self._sent[command.run_id, command.task, command.attempt].append(command)

    def at_rest(self, run: Run, plan: Plan, outputs: Outputs) -> str | None:
        """Return which task completed with outputs that its upstreams do not have any more."""
        if run.status == "cancelled":
            return None
        for index, fact in self._store._tasks[run.id].items():
            if fact.rank != Rank.COMPLETED:
                continue
            name = plan.tasks[index].name
            for command in self._sent[run.id, name, fact.attempt]:
                for upstream, given in command.upstream.items():
                    if outputs.get((run.id, plan.index_of[upstream]), _NEVER_MADE) != given:
                        return f"{name} completed with an output that {upstream} does not have"
        return None
