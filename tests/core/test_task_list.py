"""Lists of tasks and incidents: what is unresolved, who is given notice, and the newest first."""

from dataclasses import replace

from cerebro.adapters.memory import MemoryStore
from cerebro.handlers import incident_queries, queries
from cerebro.testing.examples import NOW, accept
from cerebro.testing.incident_contract import INCIDENT
from cordyna_core.contract.incidents import incident_id
from world.declarations import declared


def test_unresolved_upstreams_are_those_that_are_not_declared() -> None:
    store = MemoryStore()
    accept(store, declared("s", "x  y<-x,missing"))
    listed = {info.task: info for info in queries.tasks(store, NOW)}
    assert listed["y"].upstream == ["x", "missing"]
    assert (listed["x"].unresolved, listed["y"].unresolved) == ([], ["missing"])


def test_notice_is_shown_with_the_task_and_with_its_upstream() -> None:
    store = MemoryStore()
    old = declared("a", "old  other", old={"deprecated": "use new", "until": "2026-12-01"})
    accept(store, old, declared("b", "user<-old"))
    noticed = {info.task: len(info.notices) for info in queries.tasks(store, NOW)}
    assert noticed == {"old": 1, "other": 0, "user": 1}


def test_open_incidents_are_listed_newest_first() -> None:
    store = MemoryStore()
    ids = {second: incident_id("failed", f"task-{second}") for second in (1, 2, 3, 9)}
    for second in (1, 3, 2, 9):
        opened = replace(INCIDENT, id=ids[second], opened_at=NOW + second)
        ended = replace(opened, closed_at=NOW + 10) if second == 9 else opened
        assert store.write_incident(ended, None) is None
    listed = [view.incident for view in incident_queries.incidents(store)]
    assert listed == [ids[3], ids[2], ids[1]]
    every = [view.incident for view in incident_queries.incidents(store, closed=True)]
    assert every == [ids[9], *listed]
