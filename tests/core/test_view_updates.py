"""View updates: a view that is updated change by change equals the view of the whole run."""

from typing import Any

from cerebro.core.model.task_run import TaskRun
from cerebro.core.view_updates import ViewedRun, updated_run, viewed_run
from cerebro.core.views import run_view
from cerebro.handlers import queries
from cerebro.simulator.parts.scenario import BEGIN
from cerebro.simulator.worlds.world import World

SEEDS = range(20, 80)
MOMENTS_S = [0.4 * 1.05**look for look in range(170)]
"""After the beginning of the world: close together first, and the last after half an hour."""


class Follower:
    """Follows every run of a world by what changed, and compares with the whole view."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.viewed: dict[str, ViewedRun] = {}
        self.reasons: set[str | None] = set()
        self.kept = self.made = 0

    def look(self, _: Any = None) -> None:
        for summary in self.world.store.runs(1_000):
            run, snapshot, facts = queries.read_all(self.world.store, summary.id)
            last = self.viewed.get(run.id)
            if last is None:
                self.viewed[run.id] = viewed_run(run, snapshot, facts)
                continue
            new = updated_run(last, run, changed(last, facts))
            assert new.view == run_view(run, snapshot, facts)
            self.viewed[run.id] = new
            self.reasons |= {task.reason for task in new.view.tasks}
            same = sum(
                task is before for task, before in zip(new.view.tasks, last.view.tasks, strict=True)
            )
            self.kept += same
            self.made += len(new.view.tasks) - same


def changed(last: ViewedRun, facts: dict[int, TaskRun]) -> dict[int, TaskRun]:
    return {index: fact for index, fact in facts.items() if fact != last.facts.get(index)}


def test_updated_view_equals_the_whole_view() -> None:
    kept = made = 0
    reasons: set[str | None] = set()
    for seed in SEEDS:
        world = World(seed)
        follower = Follower(world)
        for at in MOMENTS_S:
            world.network.schedule(BEGIN + at, follower.look, None)
        world.run()
        follower.look()
        kept, made = kept + follower.kept, made + follower.made
        reasons |= follower.reasons
    assert {"waiting", "blocked", "retry_wait", "cancelled", "reused"} <= reasons
    assert made > 500
    assert kept > 5 * made
