"""Whole graphs in virtual time, as a team tests them."""

import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Any, cast

import pytest

from cordyna_core import (
    Context,
    RetryableError,
    TaskServer,
    UserError,
    fresh,
    graph_testing,
    upstream,
)
from cordyna_core.errors import NotFound, Refusal
from cordyna_core.testing import GraphRun, run_graph, virtual_graph

MONDAY = datetime(2026, 1, 5, 6, tzinfo=UTC)


def two_servers(*, fails: int = 0) -> tuple[TaskServer, TaskServer]:
    """`report` of team b needs `orders` of team a, whose first attempts may fail."""
    a, b = TaskServer("a", owner="team-a"), TaskServer("b", owner="team-b")

    @a.task(retries=2, retry_delay="1m", retry_jitter=False)
    def orders(day: str = "today", *, ctx: Context) -> dict[str, Any]:
        if ctx.attempt <= fails:
            raise RetryableError("not yet")
        return {"day": day, "at": ctx.scheduled_at}

    @b.task(cron="0 6 * * 1")
    def report(orders: Annotated[dict[str, Any], upstream()]) -> str:
        return f"{orders['day']} at {orders['at']}"

    return a, b


def test_graph_runs_with_params_and_outputs() -> None:
    run = run_graph(two_servers(), "report", {"day": "monday"})

    assert (run.state, run.output, run.took_s) == ("completed", "monday at None", 0.0)
    assert run.outputs == {"orders": {"day": "monday", "at": None}, "report": "monday at None"}
    assert [type(event).__name__ for event in run.events][:2] == ["InvokeTask", "RunStateChanged"]


def test_cron_of_next_monday_fires_in_virtual_time() -> None:
    run = run_graph(two_servers(), "report", tick=True, at="2026-01-03T12:00:00Z")

    assert run.output == "today at 2026-01-05T06:00:00Z"
    assert run.began_at == MONDAY


def with_a_cron_of_every_minute() -> tuple[TaskServer, list[int]]:
    server, ran = TaskServer("s"), []
    server.task(name="watch", cron="* * * * *")(lambda: ran.append(1))
    server.task(name="audit", cron="0 0 29 2 *")(lambda: "done")
    return server, ran


def test_tick_that_is_years_ahead_fires_no_other_cron() -> None:
    """Half a million runs of the other task would be between them."""
    server, ran = with_a_cron_of_every_minute()
    run = run_graph([server], "audit", tick=True, at="2025-01-01T00:00Z")

    assert (run.output, str(run.began_at)) == ("done", "2028-02-29 00:00:00+00:00")
    assert ran == []


def test_crons_of_a_graph_fire_unless_they_are_left_out() -> None:
    server, ran = with_a_cron_of_every_minute()
    virtual_graph([server]).advance("1h")
    assert len(ran) == 60

    quiet = virtual_graph([server], crons=["audit"])
    quiet.advance("1h")
    assert len(ran) == 60
    with pytest.raises(UserError, match='the cron of "watch" does not fire in this graph'):
        quiet.next_tick("watch")
    with pytest.raises(UserError, match="crons names 'gone', which is not in the graph"):
        virtual_graph([server], crons=["gone"])
    with pytest.raises(UserError, match="crons holds 'audit', and not names of tasks"):
        virtual_graph([server], crons="audit")


def test_dead_server_is_not_waited_for_in_real_time() -> None:
    run = run_graph(two_servers(), "report", dead=["a"])

    assert run.state == "error"
    assert run.states == {"orders": "error ack_timeout", "report": "pending blocked"}
    assert run.task("orders").attempt == 3


def test_late_answer_heals_the_attempt() -> None:
    a, b = TaskServer("a"), TaskServer("b")
    a.task(name="orders", ack_timeout_s=60)(lambda: "orders")
    b.task(name="report", upstream=["orders"])(lambda: "report")

    run = run_graph([a, b], "report", late={"orders": 30})
    assert (run.state, run.took_s) == ("completed", 30.0)
    assert run_graph([a, b], "report", late={"orders": "2m"}).states["orders"] == (
        "error ack_timeout"
    )


def test_retries_pause_as_declared() -> None:
    run = run_graph(two_servers(fails=1), "report")

    assert run.state == "completed"
    assert run.task("orders").attempt == 2
    assert 60 <= run.took_s <= 65


def test_error_of_a_task_is_shown() -> None:
    run = run_graph(two_servers(fails=3), "report")

    error = run.error("orders")
    assert error is not None
    assert (error.type, error.message) == ("RetryableError", "not yet")
    with pytest.raises(NotFound, match='the run has no task "gone"'):
        run.task("gone")


def test_body_that_lasts_expires_or_completes() -> None:
    a = TaskServer("a")
    a.task(name="load", run_timeout_s="10m")(lambda: "done")

    assert run_graph([a], "load", lasts={"load": "5m"}).took_s == 300
    assert run_graph([a], "load", lasts={"load": "20m"}).states == {"load": "error run_timeout"}


def test_run_that_is_not_over_within_its_time_is_shown_as_it_is() -> None:
    a = TaskServer("a")
    a.task(name="load")(lambda: "done")

    run = run_graph([a], "load", lasts={"load": "5m"}, within="1m")
    assert (run.state, run.states) == ("running", {"load": "started"})


def test_graph_is_cancelled_and_retried() -> None:
    a = TaskServer("a")
    ran = []
    a.task(name="load")(lambda: ran.append(1))
    graph = virtual_graph([a], dead=["a"])

    failed = graph.invoke("load")
    graph.dead.clear()
    assert graph.retry(failed, "load").state == "completed"
    graph.lasts["load"] = "5m"
    begun = graph.invoke("load", within="1m")
    assert graph.cancel(begun).states == {"load": "error cancelled"}
    graph.advance("1h")
    assert ran == [1]
    with pytest.raises(Refusal, match="RetryRun is refused"):
        graph.retry(begun)


def test_result_is_reused_while_it_is_fresh() -> None:
    a, runs = TaskServer("a"), []
    a.task(name="rates")(lambda: runs.append(1))
    a.task(name="report", upstream=[fresh("rates", within="1h")])(lambda: None)
    graph = virtual_graph([a])

    graph.invoke("report")
    graph.advance("30m")
    assert graph.invoke("report").states["rates"] == "completed reused"
    graph.advance("2h")
    graph.invoke("report")
    assert len(runs) == 2


def test_body_that_invokes_starts_a_run_of_its_own() -> None:
    a, ran = TaskServer("a"), []
    a.task(name="archive")(lambda: ran.append("archive"))

    @a.task
    def load(*, ctx: Context) -> None:
        ctx.invoke("archive")

    assert run_graph([a], "load").state == "completed"
    assert ran == ["archive"]


def test_refused_invocation_raises_every_problem() -> None:
    with pytest.raises(Refusal, match='parameter "dya"') as refused:
        run_graph(two_servers(), "report", {"dya": "monday"})
    assert [problem.code for problem in refused.value.problems] == ["unknown_param"]


def test_declaration_that_is_rejected_raises_its_problems() -> None:
    a, b = two_servers()
    b.task(name="orders")(lambda: None)
    with pytest.raises(Refusal, match="the servers cannot be declared together"):
        run_graph([a, b], "report")


def test_tick_that_starts_no_run_says_why() -> None:
    _, b = two_servers()
    with pytest.raises(UserError, match="started no run") as refused:
        run_graph([b], "report", tick=True)
    assert 'upstream "orders" is declared by no server' in refused.value.why


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dead": ["gone"]}, "dead names 'gone', which is not in the graph"),
        ({"late": {"gone": 5}}, "late names 'gone'"),
        ({"lasts": {"gone": 5}}, "lasts names 'gone'"),
        ({"at": "monday"}, "at='monday' is not a time"),
        ({"at": 5}, "at=5 is not a time"),
        ({"at": "0001-01-01"}, "at='0001-01-01' is not a time at which a graph can begin"),
        ({"at": datetime.max.replace(tzinfo=UTC)}, "is not a time at which a graph can begin"),
        ({"late": ["orders"]}, "late holds .*orders.*, and not durations by task"),
        ({"lasts": 5}, "lasts holds 5, and not durations by task"),
        ({"params": ["day"]}, "params holds .*day.*, and not values by parameter"),
        ({"params": {5: "day"}}, 'task "report" cannot be invoked with these params'),
        ({"params": {"day": object()}}, "Unable to serialize unknown type"),
        ({"tick": True, "params": {"day": 1}}, "a tick has no params"),
        ({"late": {"orders": "soon"}}, "'soon' is not a duration"),
    ],
)
def test_argument_that_means_nothing_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run_graph(two_servers(), "report", **options)


def test_two_servers_of_one_name_are_refused() -> None:
    """One of them would take the place of the other."""
    with pytest.raises(UserError, match='two servers are named "a"'):
        virtual_graph([TaskServer("a"), TaskServer("a")])
    server = two_servers()[0]
    assert run_graph([server, server], "orders").state == "completed"


def test_task_without_cron_has_no_tick() -> None:
    with pytest.raises(UserError, match='task "orders" has no cron') as refused:
        run_graph(two_servers(), "orders", tick=True)
    assert refused.value.next == "use one that has: report"


def test_time_without_zone_is_utc() -> None:
    graph = virtual_graph(two_servers(), at=datetime(2026, 1, 5, 6))  # noqa: DTZ001
    assert graph.now == MONDAY


def test_servers_that_never_rest_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cerebro.testing.virtual_graph.SETTLE_STEPS_MAX", 50)
    a = TaskServer("a")

    @a.task
    def again(*, ctx: Context) -> None:
        ctx.invoke("again")

    with pytest.raises(UserError, match="more than 50 steps at one moment"):
        run_graph([a], "again")


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([], "no installed package runs graphs in virtual time"),
        (
            [EntryPoint("virtual_graph", "no_such_package:x", "cordyna.testing")],
            "it needs the package no_such_package",
        ),
    ],
)
def test_missing_cerebro_is_named(
    entries: list[EntryPoint], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_testing, "entry_points", lambda **_: entries)
    with pytest.raises(UserError) as refused:
        run_graph(two_servers(), "report")
    assert refused.value.why == why
    assert refused.value.next == "pip install cordyna-cerebro beside the tests"


PLUGIN_TEST = """
from cordyna_core import TaskServer

server = TaskServer("a")
server.task(name="load")(lambda: "done")


def test_load(cordyna_graph):
    graph = cordyna_graph(server, dead=["a"])
    assert graph.invoke("load").state == "error"
    graph.dead.clear()
    assert graph.invoke("load").output == "done"
"""


def test_pytest_plugin_gives_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_load.py").write_text(PLUGIN_TEST)
    plugins = ("-p", "no:cordyna", "-p", "cordyna_core.pytest_plugin", "-p", "no:cacheprovider")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in result.stdout, result.stdout + result.stderr


def test_plugin_and_graph_are_entry_points() -> None:
    root = Path(__file__).parents[2]
    library = tomllib.loads((root / "layers/cordyna_core/pyproject.toml").read_text())
    cerebro = tomllib.loads((root / "functions/cerebro/pyproject.toml").read_text())
    assert library["project"]["entry-points"]["pytest11"] == {
        "cordyna": "cordyna_core.pytest_plugin"
    }
    assert cerebro["project"]["entry-points"][graph_testing.ENTRY_POINT_GROUP] == {
        graph_testing.ENTRY_POINT_NAME: "cerebro.testing.virtual_graph:InMemoryGraph"
    }


def test_graph_run_is_what_it_was() -> None:
    assert isinstance(run_graph(two_servers(), "orders"), GraphRun)


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda a: run_graph(a, "orders"), "servers holds .*, and not servers\n.*servers=\\["),
        (
            lambda _: run_graph(cast("Any", [print]), "orders"),
            "servers holds .*print.*, and not servers",
        ),
        (lambda a: run_graph([a], "orders", dead="a"), "dead holds 'a', and not names of servers"),
    ],
)
def test_argument_of_the_wrong_kind_is_named(call: Any, what: str) -> None:
    with pytest.raises(UserError, match=what):
        call(two_servers()[0])
