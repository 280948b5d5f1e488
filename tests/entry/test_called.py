"""The Lambdas that are called: the sweeper by a schedule, the query function by whoever wants to know."""

from typing import Any

import pytest

from cerebro.lambdas import query, sweeper
from cerebro.lambdas.runtime import on_call, on_queue
from cordyna_core.contract.commands import CancelRun, DescribeServer, InvokeTask
from cordyna_core.contract.ids import CEREBRO, CLIENT, run_id_of
from cordyna_core.contract.query_api import Answer, CerebroInfo, answer_of, collected, whole
from cordyna_core.contract.registry import may_send
from cordyna_core.contract.views.runs import PlanView, RunView, ServerInfo, TaskInfo, TaskView
from entry.surroundings import NOON, SERVER, Context, Surroundings, batch, metrics_in

RUN = run_id_of("y", "k")


def a_run(**of_task: Any) -> Surroundings:
    """y, which needs x, was just invoked."""
    here = Surroundings()
    on_queue("planner", here.make)(
        batch(
            here.declared("x", "y<-x", **of_task),
            here.sealed(InvokeTask(task="y", key="k"), CLIENT),
        ),
        Context(),
    )
    return here


def swept(here: Surroundings, *, left_ms: int = 60_000) -> Any:
    return on_call("sweeper", sweeper._sweep, here.make)({}, Context(left_ms))


def asked(here: Surroundings, **query_: Any) -> Answer:
    return Answer.model_validate(on_call("query", query._answer, here.make)(query_, Context()))


def test_a_sweep_rings_every_page_of_what_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    here = a_run()
    capsys.readouterr()
    before = len(here.timers.rings)

    assert swept(here) == {"rings": 1, "stuck": []}

    assert [ring.run_id for ring in here.timers.rings[before:]] == [RUN]
    assert metrics_in(capsys.readouterr().out) == [("StuckRuns", {}, 0)]


def test_a_sweep_stops_before_its_time_is_over() -> None:
    assert swept(a_run(), left_ms=1000) == {"rings": 0, "stuck": []}


def test_a_run_that_nothing_would_wake_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    here = a_run()
    capsys.readouterr()
    here.now += 120  # its ring, due after 10 s, never came

    assert swept(here)["stuck"] == [RUN]

    assert metrics_in(capsys.readouterr().out) == [("StuckRuns", {}, 1)]
    assert here.logged[-1]["correlation_id"] == RUN


def test_a_roll_call_asks_every_server_to_declare_itself_which_a_sweep_does_not() -> None:
    here = Surroundings()
    swept(here)
    assert here.bus.published == []
    on_call("sweeper", sweeper._sweep, here.make)({"roll_call": True}, Context())
    (asked_,) = here.bus.published
    assert isinstance(asked_, DescribeServer)
    assert asked_.server == "*"
    assert may_send(CEREBRO, asked_)


def test_a_run_whose_ring_is_to_come_is_not_stuck() -> None:
    here = a_run(ack_timeout_s=3600)
    here.now += 600
    assert swept(here)["stuck"] == []


def test_a_run_that_is_over_is_not_stuck() -> None:
    here = a_run()
    on_queue("planner", here.make)(batch(here.sealed(CancelRun(run_id=RUN), CLIENT)), Context())
    here.now += 600
    assert swept(here)["stuck"] == []


def test_what_was_counted_is_written_also_when_the_call_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = Surroundings()

    def fails(face: Any, event: Any, context: Any) -> Any:
        face.tally.count("StuckRuns")
        raise OSError("the table does not answer")

    with pytest.raises(OSError, match="does not answer"):
        on_call("sweeper", fails, here.make)({}, Context())
    assert metrics_in(capsys.readouterr().out) == [("StuckRuns", {}, 1)]


def test_a_run_is_answered_with_all_that_a_person_is_shown() -> None:
    answer = asked(a_run(), ask="run", run_id=RUN)

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


def test_commands_that_were_applied_to_a_run_are_named() -> None:
    here = a_run()
    on_queue("planner", here.make)(
        batch(here.sealed(CancelRun(run_id=RUN, command_id="mine"), CLIENT)), Context()
    )
    assert asked(here, ask="run", run_id=RUN).head["commands"] == ["mine"]


def test_a_run_that_is_not_there_is_missing() -> None:
    missing = asked(Surroundings(), ask="run", run_id=RUN).missing
    assert missing is not None
    assert missing.what == f"run {RUN} is not known."


def test_a_plan_is_answered() -> None:
    answer = asked(a_run(), ask="plan", task="y")
    assert [row["task"] for row in answer.rows] == ["x", "y"]
    assert answer.head == {"task": "y", "problems": []}


def test_a_plan_that_would_be_refused_says_why() -> None:
    view = PlanView.model_validate(asked(Surroundings(), ask="plan", task="z").head)
    assert [problem.code for problem in view.problems] == ["unknown_task"]


def test_params_that_would_be_refused_are_told_before_anything_is_invoked() -> None:
    view = PlanView.model_validate(
        asked(a_run(), ask="plan", task="y", params={"day": "monday"}).head
    )
    assert len(view.problems) == 1


def test_runs_tasks_servers_and_cerebro_itself_are_answered() -> None:
    here = a_run()
    assert [row["run_id"] for row in asked(here, ask="runs").rows] == [RUN]
    assert [TaskInfo.model_validate(row).task for row in asked(here, ask="tasks").rows] == [
        "x",
        "y",
    ]
    assert [ServerInfo.model_validate(row).server for row in asked(here, ask="servers").rows] == [
        SERVER
    ]
    assert CerebroInfo.model_validate(asked(here, ask="cerebro").head).now == NOON


@pytest.mark.parametrize(
    "query_",
    [{}, {"ask": "weather"}, {"ask": "run", "run_id": "short"}, {"ask": "tasks", "color": "red"}],
)
def test_what_is_no_query_is_told_so(query_: dict[str, Any]) -> None:
    missing = asked(Surroundings(), **query_).missing
    assert missing is not None
    assert missing.what == "this is not a query."
    assert missing.why


def test_a_long_answer_comes_in_pieces() -> None:
    views = [
        TaskView(task=f"task-{n}", server="a", state="pending", why="w" * 100) for n in range(20)
    ]
    asked_from: list[int] = []

    def ask(start: int) -> Answer:
        asked_from.append(start)
        return answer_of({"task": "x"}, views, start, limit=2000)

    answer = collected(ask)

    assert len(asked_from) > 1
    assert answer.head == {"task": "x"}
    assert [TaskView.model_validate(row) for row in answer.rows] == views


def test_a_row_that_is_larger_than_a_piece_comes_alone() -> None:
    views = [
        TaskView(task=f"task-{n}", server="a", state="pending", output="o" * 500) for n in range(3)
    ]
    assert len(collected(lambda start: answer_of({}, views, start, limit=10)).rows) == 3


def test_a_view_is_written_whole_without_the_list_that_is_sent_apart() -> None:
    view = RunView(
        run_id=RUN,
        task="y",
        state="running",
        tasks=[TaskView(task="y", server="a", state="pending", owner="team-a")],
    )
    assert whole(view)["tasks"][0]["owner"] == "team-a"
    assert "tasks" not in whole(view, without="tasks")
