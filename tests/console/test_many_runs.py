"""A list that is read page by page reaches every run, however many there are."""

from datetime import timedelta

from cerebro.adapters.memory import MemoryStore
from cerebro.handlers import queries
from cerebro.testing.examples import NOW, a_run, invoked
from cordyna_core.contract.query_api import RUNS_SEARCHED_MAX
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.runs import RunCriteria

PAGE = 2_000


def test_pages_reach_runs_older_than_one_search() -> None:
    store = MemoryStore()
    many = RUNS_SEARCHED_MAX + PAGE // 2
    for number in range(many):
        invoked(store, a_run(f"run-{number:05}", created_at=NOW + number))
    seen: list[str] = []
    until = utc(NOW + many)
    while page := queries.runs(store, PAGE, RunCriteria(until=until)):
        seen += [run.run_id for run in page]
        until = page[-1].created_at
    assert seen == [f"run-{number:05}" for number in reversed(range(many))]


def test_run_of_the_same_moment_is_not_before_it() -> None:
    store = MemoryStore()
    invoked(store, a_run("run-1", created_at=NOW))
    assert queries.runs(store, 1, RunCriteria(until=utc(NOW))) == []
    later = RunCriteria(until=utc(NOW) + timedelta(microseconds=1))
    assert [run.run_id for run in queries.runs(store, 1, later)] == ["run-1"]
