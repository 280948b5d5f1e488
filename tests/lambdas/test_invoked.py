"""Lambda handlers that are invoked directly: the sweeper by a schedule, the query function by
operators.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cerebro.adapters.aws.dynamodb_run_marks import SHARDS
from cerebro.adapters.internal_codec import encode_internal
from cerebro.core.internal_messages import PageTimer
from cerebro.handlers.sweep import sweep_shards
from cerebro.lambdas import query, sweeper
from cerebro.lambdas.runtime import on_call, on_queue
from cordyna_core.contract.commands import CancelRun, DescribeServer, InvokeTask
from cordyna_core.contract.ids import CEREBRO, CLIENT, run_id_of
from cordyna_core.contract.query_api import (
    Answer,
    CerebroInfo,
    answer_page,
    collect_pages,
    full_json,
)
from cordyna_core.contract.registry import may_send
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.runs import RunView, TaskView
from lambdas.fake_runtime import NOON, SERVER, Context, FakeRuntime, batch, metrics_in

RUN = run_id_of("y", "k")


def a_run(**of_task: Any) -> FakeRuntime:
    """A run of y, with upstream x, that was just invoked."""
    fake = FakeRuntime()
    on_queue("planner", fake.build)(
        batch(
            fake.declared("x", "y<-x", **of_task),
            fake.sealed(InvokeTask(task="y", key="k"), CLIENT),
        ),
        Context(),
    )
    return fake


NewPages = Callable[[int], list[tuple[str, int]]]


def with_marks(
    fake: FakeRuntime, *runs: str, pages: int = 1, new: NewPages = lambda _: []
) -> FakeRuntime:
    """The runs have marks in the partition of their first character; `new`: those without one."""

    def active_pages(shard: int, after: str = "") -> Iterator[tuple[str, int]]:
        marked = runs or tuple(fake.store.active_runs())
        return iter(
            [
                (run, pages)
                for run in sorted(marked)
                if ord(run[0]) % SHARDS == shard and run > after
            ]
        )

    store: Any = fake.store
    store.active_pages = active_pages
    store.new_active_pages = lambda shard: iter(new(shard))
    return fake


def swept(fake: FakeRuntime, *, left_ms: int = 60_000, **event: Any) -> Any:
    return on_call("sweeper", sweeper._sweep, fake.build)(event, Context(left_ms))


def answer_to(fake: FakeRuntime, **query_: Any) -> Answer:
    return Answer.model_validate(on_call("query", query._answer, fake.build)(query_, Context()))


def test_sweep_sends_a_timer_for_every_active_page(capsys: pytest.CaptureFixture[str]) -> None:
    fake = with_marks(a_run(), pages=3)
    capsys.readouterr()
    before = len(fake.timers.page_timers)

    assert swept(fake) == {"shard": None, "runs": 1, "rings": 3, "last": RUN, "finished": True}

    sent = fake.timers.page_timers[before:]
    assert [(timer.run_id, timer.page) for timer in sent] == [(RUN, 0), (RUN, 1), (RUN, 2)]
    assert metrics_in(capsys.readouterr().out) == [("UnfinishedSweeps", {}, 0)]


def test_sweep_reaches_runs_that_were_never_marked() -> None:
    fake = with_marks(FakeRuntime(), "A1", new=lambda shard: [(f"NEW-{shard}", 2)])
    answer = swept(fake, shard=ord("A") % SHARDS)
    assert (answer["runs"], answer["rings"], answer["finished"]) == (2, 3, True)


def test_sweep_of_a_partition_reaches_its_runs_only() -> None:
    fake = with_marks(FakeRuntime(), "A1", "B1", "C1", "D1", "E1")
    assert [swept(fake, shard=shard)["runs"] for shard in range(SHARDS)] == [1, 2, 1, 1]
    assert swept(fake)["runs"] == 5


def test_sweep_that_does_not_finish_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    fake = with_marks(a_run())
    capsys.readouterr()
    assert swept(fake, left_ms=1000) == {
        "shard": None,
        "runs": 0,
        "rings": 0,
        "last": "",
        "finished": False,
    }
    assert metrics_in(capsys.readouterr().out) == [("UnfinishedSweeps", {}, 1)]
    assert fake.logged[-1]["message"] == "the sweep did not reach every run"


def test_sweeps_without_time_reach_every_run_in_turn() -> None:
    runs = [f"{first}1" for first in "0123456789ABCDEFGHJKMNPQRSTVWXYZ"]
    fake = with_marks(FakeRuntime(), *runs)
    reached = set()
    for _ in runs:
        fake.now += 900
        keep_going = iter([True, False]).__next__
        progress = sweep_shards(fake.runtime.ports, fake.store, [1], keep_going)
        assert (progress.runs, progress.is_finished) == (1, False)
        reached.add(progress.last)
    assert reached == {run for run in runs if ord(run[0]) % SHARDS == 1}


def test_new_runs_are_reached_also_if_no_sweep_ends() -> None:
    runs = [f"{first}1" for first in "0123456789ABCDEFGHJKMNPQRSTVWXYZ"]
    fake = with_marks(FakeRuntime(), *runs, new=lambda _: [("NEW", 1)])
    reached = set()
    for _ in range(4 * len(runs)):
        fake.now += 900
        keep_going = iter([True, False]).__next__
        reached.add(sweep_shards(fake.runtime.ports, fake.store, [1], keep_going).last)
    assert reached == {"NEW", *(run for run in runs if ord(run[0]) % SHARDS == 1)}


def checked(fake: FakeRuntime, timer: PageTimer) -> None:
    """The timer fires, and the check that it asks for passes the tracker's queue."""
    on_queue("timekeeper", fake.build)(batch(encode_internal(timer)), Context())
    for check in fake.timers.overdue_checks:
        on_queue("tracker", fake.build)(batch(encode_internal(check)), Context())


def test_run_whose_timer_was_lost_is_counted_as_stuck(capsys: pytest.CaptureFixture[str]) -> None:
    fake = with_marks(a_run())
    fake.now += 3600  # its page timer, due after 10 s, never fired
    swept(fake)
    capsys.readouterr()
    checked(fake, fake.timers.page_timers[-1])
    assert ("StuckRuns", {}, 1) in metrics_in(capsys.readouterr().out)


def test_run_whose_timer_is_late_is_not_stuck(capsys: pytest.CaptureFixture[str]) -> None:
    fake = a_run()
    fake.now += 3600
    checked(fake, fake.timers.page_timers[0])
    written = metrics_in(capsys.readouterr().out)
    assert ("ClockExpired", {"reason": "ack_timeout"}, 1) in written
    assert not [name for name, *_ in written if name == "StuckRuns"]


def test_roll_call_asks_every_server_to_declare_itself() -> None:
    fake = with_marks(FakeRuntime())
    swept(fake)
    assert fake.bus.published == []
    on_call("sweeper", sweeper._sweep, fake.build)({"roll_call": True}, Context())
    (request,) = fake.bus.published
    assert isinstance(request, DescribeServer)
    assert request.server == "*"
    assert may_send(CEREBRO, request)
    fake.now += 1
    on_call("sweeper", sweeper._sweep, fake.build)({"roll_call": True}, Context())
    assert len({message.meta.id for message in fake.bus.published if message.meta}) == 2


def test_metrics_are_written_when_the_call_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake = FakeRuntime()

    def failing(runtime: Any, event: Any, context: Any) -> Any:
        runtime.metrics.count("StuckRuns")
        raise OSError("the table does not answer")

    with pytest.raises(OSError, match="does not answer"):
        on_call("sweeper", failing, fake.build)({}, Context())
    assert metrics_in(capsys.readouterr().out) == [("StuckRuns", {}, 1)]


def test_query_run_answers_with_its_whole_view() -> None:
    answer = answer_to(a_run(), ask="run", run_id=RUN)

    view = RunView.model_validate({**answer.head, "tasks": answer.rows})
    assert [
        (task.task, task.server, task.state, task.reason, task.level, task.upstream)
        for task in view.tasks
    ] == [
        ("x", SERVER, "pending", "dispatched", 0, []),
        ("y", SERVER, "pending", "waiting", 1, ["x"]),
    ]
    assert view.tasks[0].why.startswith("x on server-a was sent its command")
    assert view.tasks[0].deadline is not None
    assert view.created_at is not None
    assert view.created_at.timestamp() == NOON
    assert answer.head["commands"] == []


def test_query_run_names_its_applied_commands() -> None:
    fake = a_run()
    on_queue("planner", fake.build)(
        batch(fake.sealed(CancelRun(run_id=RUN, command_id="mine"), CLIENT)), Context()
    )
    assert answer_to(fake, ask="run", run_id=RUN).head["commands"] == ["mine"]


def test_a_run_that_is_not_tfake_is_missing() -> None:
    missing = answer_to(FakeRuntime(), ask="run", run_id=RUN).missing
    assert missing is not None
    assert missing.what == f"run {RUN} is not known."


def test_query_plan_answers_in_order() -> None:
    answer = answer_to(a_run(), ask="plan", task="y")
    assert [row["task"] for row in answer.rows] == ["x", "y"]
    assert answer.head == {"task": "y", "problems": []}


def test_query_plan_of_unknown_task_names_the_problem() -> None:
    view = PlanView.model_validate(answer_to(FakeRuntime(), ask="plan", task="z").head)
    assert [problem.code for problem in view.problems] == ["unknown_task"]


def test_query_plan_with_bad_params_names_the_problem() -> None:
    view = PlanView.model_validate(
        answer_to(a_run(), ask="plan", task="y", params={"day": "monday"}).head
    )
    assert len(view.problems) == 1


def test_query_lists_runs_tasks_servers_and_cerebro() -> None:
    fake = a_run()
    assert [row["run_id"] for row in answer_to(fake, ask="runs").rows] == [RUN]
    assert [TaskInfo.model_validate(row).task for row in answer_to(fake, ask="tasks").rows] == [
        "x",
        "y",
    ]
    assert [
        ServerInfo.model_validate(row).server for row in answer_to(fake, ask="servers").rows
    ] == [SERVER]
    assert CerebroInfo.model_validate(answer_to(fake, ask="cerebro").head).now == NOON


@pytest.mark.parametrize(
    "query_",
    [{}, {"ask": "weather"}, {"ask": "run", "run_id": "short"}, {"ask": "tasks", "color": "red"}],
)
def test_query_malformed_is_answered_with_the_reason(query_: dict[str, Any]) -> None:
    missing = answer_to(FakeRuntime(), **query_).missing
    assert missing is not None
    assert missing.what == "the query is not valid."
    assert missing.why


def test_answer_too_long_is_collected_in_parts() -> None:
    views = [
        TaskView(task=f"task-{n}", server="a", state="pending", why="w" * 100) for n in range(20)
    ]
    starts: list[int] = []

    def ask(start: int) -> Answer:
        starts.append(start)
        return answer_page({"task": "x"}, views, start, limit=2000)

    answer = collect_pages(ask)

    assert len(starts) > 1
    assert answer.head == {"task": "x"}
    assert [TaskView.model_validate(row) for row in answer.rows] == views


def test_answer_row_above_the_limit_comes_alone() -> None:
    views = [
        TaskView(task=f"task-{n}", server="a", state="pending", output="o" * 500) for n in range(3)
    ]
    assert len(collect_pages(lambda start: answer_page({}, views, start, limit=10)).rows) == 3


def test_whole_view_excludes_the_list_sent_apart() -> None:
    view = RunView(
        run_id=RUN,
        task="y",
        state="running",
        tasks=[TaskView(task="y", server="a", state="pending", owner="team-a")],
    )
    assert full_json(view)["tasks"][0]["owner"] == "team-a"
    assert "tasks" not in full_json(view, without="tasks")
