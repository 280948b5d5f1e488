"""Fact readings: a reading that is updated change by change equals a reading of all facts."""

from dataclasses import replace
from typing import Any

import pytest

from cerebro.core import fact_readings
from cerebro.core.fact_readings import FactReading, fact_reading, updated_reading
from cerebro.core.fact_views import run_facts
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.views import Word, word_of
from cerebro.handlers import queries
from cerebro.simulator.parts.scenario import BEGIN
from cerebro.simulator.worlds.world import World
from world.run_readings import reading_of
from world.scenarios import a_run

SEEDS = range(20, 60)
MOMENTS_S = [0.4 * 1.05**look for look in range(170)]
"""After the beginning of the world: close together first, and the last after half an hour."""


class Follower:
    """Follows every run of a world, and compares with a reading of all facts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.readings: dict[str, FactReading] = {}
        self.words: set[str | None] = set()

    def look(self, _: Any = None) -> None:
        for summary in self.world.store.runs(1_000):
            run, snapshot, facts = queries.read_all(self.world.store, summary.id)
            whole = fact_reading(run, snapshot, facts)
            last = self.readings.get(run.id)
            if last is None:
                self.readings[run.id] = whole
                continue
            differing = {at for at, fact in facts.items() if fact != last.facts.get(at)}
            # What did not change may be read as well.
            read = {at: fact for at, fact in facts.items() if at in differing or at % 3 == 0}
            new, changed = updated_reading(last, run, read)
            assert new == whole
            assert changed == differing
            columns = run_facts(new, cursor="", changed=changed).columns
            assert columns.task == sorted(
                snapshot.plan.position_of[at] for at in differing if at in snapshot.plan.position_of
            )
            self.readings[run.id] = new
            self.words |= {reason for _, reason in new.words}


def test_updated_reading_equals_the_whole_reading() -> None:
    words: set[str | None] = set()
    for seed in SEEDS:
        world = World(seed)
        follower = Follower(world)
        for at in MOMENTS_S:
            world.network.schedule(BEGIN + at, follower.look, None)
        world.run()
        follower.look()
        words |= follower.words
    assert {"waiting", "blocked", "retry_wait", "cancelled", "reused"} <= words


def test_update_of_healthy_run_examines_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = "  ".join(f"t{index}" for index in range(90))
    run, snapshot, facts = reading_of(a_run(wide + "  last<-t1,t2", t1="started"))
    last = fact_reading(run, snapshot, facts)
    index = snapshot.plan.index_of["t1"]
    examined: list[TaskRun | None] = []

    def counted(run: Run, fact: TaskRun | None, *, is_blocked: bool) -> Word:
        examined.append(fact)
        return word_of(run, fact, is_blocked=is_blocked)

    monkeypatch.setattr(fact_readings, "word_of", counted)
    monkeypatch.setattr(fact_readings, "run_liveness", None)
    ended = replace(facts[index], rank=Rank.COMPLETED, deadline=None)

    reading, changed = updated_reading(last, run, {**facts, index: ended})

    assert changed == {index}
    assert examined == [facts[index], ended]
    assert reading.words["completed", None] == 1
