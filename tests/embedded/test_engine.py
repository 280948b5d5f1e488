"""The embedded engine: real threads and the real clock, but nothing that waits for time to pass."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.engine import open_engine
from cerebro.embedded.storage.home import DATABASE, DiskHome, MemoryHome
from cordyna_cli.engine import EngineOptions, Invoked, Refused
from cordyna_core import Context, TaskServer
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.errors import NotFound, ServiceError, UserError
from world.two_servers import finished, two_servers


@pytest.fixture(params=["memory", "disk"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryHome | DiskHome:
    return MemoryHome() if request.param == "memory" else DiskHome(tmp_path / "home")


@pytest.fixture
def engine(home: MemoryHome | DiskHome) -> Iterator[EmbeddedEngine]:
    with EmbeddedEngine(home, two_servers()) as engine:
        yield engine


def test_invoke_runs_task_and_its_upstreams_on_their_servers(engine: EmbeddedEngine) -> None:
    run = finished(engine, "y", times=5)

    assert run.state == "completed"
    assert [(task.task, task.server, task.state, task.output) for task in run.tasks] == [
        ("x", "one", "completed", {"rows": 3}),
        ("y", "two", "completed", 5),
    ]


def test_output_of_task_is_in_its_log_and_not_on_stdout(
    home: MemoryHome | DiskHome, capsys: pytest.CaptureFixture[str]
) -> None:
    with EmbeddedEngine(home, two_servers()) as engine:
        run = finished(engine, "y", times=7)

        assert [(line.task, line.stream, line.text) for line in engine.logs(run.run_id)] == [
            ("y", "stdout", "times 7")
        ]
    assert capsys.readouterr().out == ""


def test_failing_run_ends_in_error_with_root_cause(engine: EmbeddedEngine) -> None:
    run = finished(engine, "z")

    assert run.state == "error"
    assert [(cause.task, cause.reason) for cause in run.root_causes] == [("bad", "failed")]
    assert next(task for task in run.tasks if task.task == "bad").error is not None


def test_invoke_unknown_task_is_refused(engine: EmbeddedEngine) -> None:
    refused = engine.invoke(InvokeTask(task="nothing"))

    assert isinstance(refused, Refused)
    assert [problem.code for problem in refused.problems] == ["unknown_task"]


def test_invoke_same_key_with_other_params_is_refused(engine: EmbeddedEngine) -> None:
    engine.invoke(InvokeTask(task="y", key="k", params={"times": 1}))

    refused = engine.invoke(InvokeTask(task="y", key="k", params={"times": 2}))

    assert isinstance(refused, Refused)
    assert [problem.code for problem in refused.problems] == ["key_reused"]


def test_cancel_and_retry_of_completed_run_are_refused(engine: EmbeddedEngine) -> None:
    run = finished(engine, "x")

    for command, code in (
        (CancelRun(run_id=run.run_id), "run_completed"),
        (RetryRun(run_id=run.run_id), "nothing_failed"),
    ):
        refused = engine.command(command)
        assert isinstance(refused, Refused)
        assert [problem.code for problem in refused.problems] == [code]


def test_retry_of_failed_run_keeps_completed_tasks(home: MemoryHome | DiskHome) -> None:
    tries = iter([ValueError("first"), None])
    ran: list[str] = []
    server = TaskServer("s")
    server.task(name="good")(lambda: ran.append("good"))

    @server.task(name="flaky", upstream=["good"])
    def flaky() -> None:
        ran.append("flaky")
        if (error := next(tries)) is not None:
            raise error

    with EmbeddedEngine(home, [server]) as engine:
        run = finished(engine, "flaky")
        assert run.state == "error"

        assert engine.command(RetryRun(run_id=run.run_id)) is None
        *_, last = engine.follow(run.run_id)

    assert last.state == "completed"
    assert ran == ["good", "flaky", "flaky"]


def test_cancel_sets_the_cancelled_flag_of_the_body(home: MemoryHome | DiskHome) -> None:
    server, begun, stopped = TaskServer("s"), threading.Event(), threading.Event()

    @server.task(name="long")
    def long(*, ctx: Context) -> None:
        begun.set()
        while not ctx.cancelled:
            stopped.wait(0.001)
        stopped.set()

    with EmbeddedEngine(home, [server]) as engine:
        taken = engine.invoke(InvokeTask(task="long"))
        assert isinstance(taken, Invoked)
        assert begun.wait(10)
        assert engine.command(CancelRun(run_id=taken.run_id)) is None
        assert stopped.wait(10)
        *_, last = engine.follow(taken.run_id)

    assert (last.state, last.tasks[0].state, last.tasks[0].reason) == (
        "error",
        "error",
        "cancelled",
    )


def test_independent_tasks_of_two_servers_run_concurrently(home: MemoryHome | DiskHome) -> None:
    # They all wait for each other: if not all of the twenty ran at once, the barrier would break.
    barrier = threading.Barrier(20, timeout=20)
    one, two = TaskServer("one"), TaskServer("two")
    one.task(name="root")(lambda: None)
    for n in range(20):
        (one if n % 2 else two).task(name=f"t{n}", upstream=["root"])(
            lambda: barrier.wait() and None
        )
    two.task(name="end", upstream=[f"t{n}" for n in range(20)])(lambda: None)

    with EmbeddedEngine(home, [one, two]) as engine:
        assert finished(engine, "end").state == "completed"


def test_slow_server_does_not_delay_another(home: MemoryHome | DiskHome) -> None:
    release = threading.Event()
    slow, quick = TaskServer("slow"), TaskServer("quick")
    for n in range(40):
        slow.task(name=f"slow-{n}")(lambda: release.wait(20) and None)
    slow.task(name="all", upstream=[f"slow-{n}" for n in range(40)])(lambda: None)
    quick.task(name="q")(lambda: None)

    with EmbeddedEngine(home, [slow, quick]) as engine:
        engine.invoke(InvokeTask(task="all"))
        assert finished(engine, "q").state == "completed"
        release.set()


def test_invalid_declarations_are_rejected_with_every_problem(
    home: MemoryHome | DiskHome,
) -> None:
    one, two = TaskServer("one"), TaskServer("two")
    one.task(name="x", upstream=["y"])(lambda: None)
    two.task(name="y", upstream=["x"])(lambda: None)

    with EmbeddedEngine(home, [one, two]) as engine, pytest.raises(UserError) as rejected:
        engine.tasks()

    assert "x (one) needs y (two) needs x (one)" in rejected.value.why


def test_unknown_run_is_not_found(engine: EmbeddedEngine) -> None:
    with pytest.raises(NotFound):
        engine.run("0" * 26)


def test_malformed_event_becomes_dead_letter_only(
    engine: EmbeddedEngine,
) -> None:
    engine.send(
        [
            "this is no JSON",
            (
                '{"id":"1","source":"x","detail-type":"Nonsense",'
                '"time":"2026-01-01T00:00:00Z","detail":{}}'
            ),
        ]
    )

    assert [reason[:12] for _, reason in engine.dead_letters()] != []
    assert finished(engine, "x").state == "completed"


def test_send_event_without_id_and_time_is_accepted(engine: EmbeddedEngine) -> None:
    engine.send(['{"source":"cordyna.client","detail-type":"InvokeTask","detail":{"task":"x"}}'])

    assert engine.dead_letters() == []
    assert [run.task for run in engine.runs()] == ["x"]


def test_full_disk_is_reported_and_committed_data_survives(
    tmp_path: Path,
) -> None:
    home = DiskHome(tmp_path / "home")
    with EmbeddedEngine(home, two_servers()) as engine:
        before = finished(engine, "x")
        with sqlite3.connect(tmp_path / "home" / DATABASE) as other:
            pages = other.execute("pragma page_count").fetchone()[0]
        home._file.db.execute(f"pragma max_page_count={pages}")

        def fill() -> None:
            for n in range(100):
                finished(engine, "y", times=n)

        with pytest.raises(ServiceError, match="full"):
            fill()

    with EmbeddedEngine(DiskHome(tmp_path / "home"), two_servers()) as engine:
        assert engine.run(before.run_id).state == "completed"
        assert finished(engine, "y", times=3).state == "completed"


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"\x00" * 4096])
def test_open_file_that_is_no_database_is_reported_with_path(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / DATABASE).write_bytes(content)

    with pytest.raises(ServiceError, match=DATABASE):
        open_engine(EngineOptions(home=str(tmp_path)))


def test_open_database_of_other_format_is_reported(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / DATABASE) as db:
        db.execute("pragma user_version=99")

    with pytest.raises(ServiceError, match="99"):
        open_engine(EngineOptions(home=str(tmp_path)))


def test_home_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ServiceError, match="is not a folder"):
        open_engine(EngineOptions(home=str(tmp_path / "file" / "home")))


def test_invoke_with_too_large_params_is_refused(engine: EmbeddedEngine) -> None:
    refused = engine.invoke(InvokeTask(task="y", params={"times": "x" * 200_000}))

    assert isinstance(refused, Refused)
    assert [problem.code for problem in refused.problems] == ["params_too_large"]
    assert "reference" in refused.problems[0].message


def test_retried_run_that_fails_again_ends_without_timer(tmp_path: Path) -> None:
    with EmbeddedEngine(DiskHome(tmp_path), two_servers()) as engine:
        run = finished(engine, "z")
        engine.command(RetryRun(run_id=run.run_id))
        ended = [*engine.follow(run.run_id)][-1]
    with EmbeddedEngine(DiskHome(tmp_path), two_servers()) as engine:
        engine.command(RetryRun(run_id=run.run_id))
        ended_again = [*engine.follow(run.run_id)][-1]
        texts = [event.text for event in engine.events(run.run_id)]

    assert (ended.state, ended_again.state) == ("error", "error")
    causes = [
        text.partition('"cause":"')[2].partition('"')[0]
        for text in texts
        if '"state":"error"' in text and "RunStateChanged" in text
    ]
    # Not by a page timer, which would take three seconds.
    assert causes == ["quiet", "quiet", "quiet"]


def test_misspelt_detail_type_of_a_client_is_answered(engine: EmbeddedEngine) -> None:
    engine.send(['{"source":"cordyna.client","detail-type":"InvokeTsk","detail":{"task":"x"}}'])
    engine.invoke(InvokeTask(task="nothing"))
    passed = [event.text for event in engine.events()]
    assert any("unknown_detail_type" in text and "InvocationRejected" in text for text in passed)
