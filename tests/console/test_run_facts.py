"""Facts of an embedded engine: readings that take only what changed end as the view of the run."""

from dataclasses import replace

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.run_facts import REREAD_ALL_S, REREAD_S, RunFactReader
from cerebro.embedded.storage.home import MemoryHome
from console.consoles import a_console, an_engine, finished
from cordyna_cli.engine import Invoked
from cordyna_console.answers.runs import reading
from cordyna_console.live import Row, rows_of
from cordyna_core import TaskServer
from cordyna_core.contract.commands import InvokeTask, RetryRun
from cordyna_core.contract.views.facts import RunFacts


def rows(engine: EmbeddedEngine, facts: RunFacts) -> dict[int, Row]:
    return dict(rows_of(reading(a_console(engine), facts).facts))


def test_readings_while_a_run_is_live_end_as_one_whole_reading() -> None:
    server = TaskServer("one")
    for index in range(60):
        needs = [f"t{index - 7}"] if index >= 7 else []
        server.task(name=f"t{index}", upstream=needs)(lambda: None)
    server.task(name="bad", upstream=["t3"])(lambda: 1 // 0)
    server.task(name="all", upstream=[f"t{index}" for index in range(60)] + ["bad"])(lambda: None)
    with EmbeddedEngine(MemoryHome(), [server]) as engine:
        engine.tasks()
        answer = engine.invoke(InvokeTask(task="all"))
        assert isinstance(answer, Invoked)
        facts = engine.facts(answer.run_id)
        seen, readings = rows(engine, facts), 0
        for _ in engine.follow(answer.run_id):
            facts = engine.facts(answer.run_id, since=facts.cursor)
            seen.update(rows(engine, facts))
            readings += 1
        facts = engine.facts(answer.run_id, since=facts.cursor)
        seen.update(rows(engine, facts))
        whole = engine.facts(answer.run_id)
        assert seen == rows(engine, whole)
        assert len(seen) == 61
        assert facts.excerpt.state == whole.excerpt.state == "error"
        assert readings >= 1


def test_reading_without_news_has_no_rows_and_the_same_cursor() -> None:
    with an_engine() as engine:
        run = finished(engine, "report")
        now = 0.0
        reader = RunFactReader(engine._home, engine._session, lambda: now)
        first = reader.facts(run.run_id, None)
        now = REREAD_S + 1
        second = reader.facts(run.run_id, first.cursor)
        assert (second.cursor, second.columns.task) == (first.cursor, [])
        # A reader with another cursor gets everything.
        assert reader.facts(run.run_id, "other").columns == first.columns


def test_reading_after_a_retry_has_the_rows_of_the_new_attempt() -> None:
    with an_engine() as engine:
        run = finished(engine, "report")
        now = 0.0
        reader = RunFactReader(engine._home, engine._session, lambda: now)
        first = reader.facts(run.run_id, None)
        assert engine.command(RetryRun(run_id=run.run_id)) is None
        *_, _ = engine.follow(run.run_id)
        second = reader.facts(run.run_id, first.cursor)
        raw = reader.structure(run.run_id).task.index("raw")
        assert raw in second.columns.task
        at = second.columns.task.index(raw)
        assert second.columns.attempt[at] == 2
        assert [attempt[0] for attempt in second.columns.before[at]] == [1]


def test_fact_that_no_event_named_is_read_after_a_while() -> None:
    with an_engine() as engine:
        run = finished(engine, "orders")
        now, store = 0.0, engine._home.store
        reader = RunFactReader(engine._home, engine._session, lambda: now)
        first = reader.facts(run.run_id, None)
        fact = store.read_task(run.run_id, 0)
        assert fact is not None
        assert store.write_task(run.run_id, 0, replace(fact, attempt=2, rev=9), fact) is None
        now = REREAD_S + 1
        assert reader.facts(run.run_id, first.cursor).columns.task == []
        now = 20 * REREAD_ALL_S
        again = reader.facts(run.run_id, first.cursor)
        assert (again.columns.task, again.columns.attempt) == ([0], [2])
        assert again.cursor != first.cursor
