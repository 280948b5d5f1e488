"""Cron ticks: the next nominal time of every cron of the graph, by wall time.

Invariant: each nominal time is reported once as a tick; times that passed unobserved are reported
as missed, except for the last one if it is recent enough to fire.
"""

import heapq
from collections.abc import Callable, Collection, Iterator
from itertools import count

from cerebro.core.cron.schedule import due_ticks, next_after
from cerebro.core.cron.ticks import missed_ticks
from cerebro.core.graph.graph import Graph
from cerebro.core.graph.owned_task import OwnedTask
from cerebro.core.internal_messages import Tick
from cordyna_core.contract.base import Message


class CronTicks:
    """The ticks of one graph. Nothing is due before `start`.

    `serves`: whether the crons of a server fire here.
    """

    def __init__(self, serves: Callable[[str], bool] = lambda _: True) -> None:
        self._serves = serves
        self._tasks: Collection[str] | None = None
        self._graph = Graph.of({})
        self._upcoming: list[tuple[float, int, str]] = []
        self._tie_breaks = count()
        self.is_started = False

    def apply(self, graph: Graph, now: float) -> None:
        """Compute the next ticks of these crons from `now` on (UTC seconds)."""
        self._graph = graph
        self._upcoming = [
            (
                next_after(cron.task.cron or "", cron.task.timezone, now),
                next(self._tie_breaks),
                cron.task.name,
            )
            for cron in graph.crons
            if self._fires(cron)
        ]
        heapq.heapify(self._upcoming)

    def limit_to(self, tasks: Collection[str], now: float) -> None:
        """Fire no crons but those of these tasks, from `now` on (UTC seconds)."""
        self._tasks = tasks
        self.apply(self._graph, now)

    def _fires(self, cron: OwnedTask) -> bool:
        is_wanted = self._tasks is None or cron.task.name in self._tasks
        return is_wanted and self._serves(cron.server)

    def start(
        self, now: float, read_tick: Callable[[str], float | None]
    ) -> Iterator[Tick | Message]:
        """Report ticks from now on. Yields what passed since the last tick of each cron.

        For each cron at most one tick, if it is recent enough to fire, and a message about the
        missed ones.
        """
        self.is_started = True
        for cron in self._graph.crons:
            task = cron.task
            last = read_tick(task.name) if self._fires(cron) else None
            if last is None:
                continue
            ticks = due_ticks(task.cron or "", task.timezone, after=last, now=now)
            if ticks.missed:
                yield missed_ticks(task.name, ticks.missed, now=now)
            if ticks.fires is not None:
                yield Tick(task.name, ticks.fires)

    def next_due(self) -> float | None:
        """Return when the next tick is due; None if no cron fires."""
        return self._upcoming[0][0] if self.is_started and self._upcoming else None

    def pop_due(self, now: float) -> Tick | None:
        """Return the next tick that is due, if any."""
        due = self.next_due()
        if due is None or due > now:
            return None
        nominal, _, name = heapq.heappop(self._upcoming)
        task = self._graph[name].task
        following = next_after(task.cron or "", task.timezone, nominal)
        heapq.heappush(self._upcoming, (following, next(self._tie_breaks), name))
        return Tick(name, nominal)
