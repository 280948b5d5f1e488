"""dyna do, watch: invoke, follow, and say what came of it."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cli.fake_engine import FakeEngine
from cli.run_builders import RUN, a_run, a_task, completed_run, failed_run
from cli.run_dyna import NOW, dyna, without_escapes
from cli.test_driver import Driver
from cordyna_cli.engine import Invoked
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.views.runs import RunView


def running() -> FakeEngine:
    return FakeEngine(
        views=[a_run(a_task("task-1", "", "dispatched@0 started@1"), a_task("task-3", "task-1"))]
    )


def test_completed_run_exits_with_0_and_prints_its_result() -> None:
    result = dyna("do", "task-3", engine=FakeEngine(views=[completed_run()]))

    assert result.status == 0
    assert result.out.splitlines()[-2:] == [
        f"✓ task-3 completed in 5.0 s  run {RUN}",
        '  {"rows": 6}',
    ]


def test_failed_run_exits_with_1_and_names_next_steps() -> None:
    result = dyna("do", "report", engine=FakeEngine(views=[failed_run()]))

    assert result.status == 1
    assert "clean on server-a: failed, attempt 2; ValueError: bad row 7" in result.out
    assert "blocked by that: load and report" in result.out
    assert f"next: dyna logs {RUN} clean" in result.out


def test_params_are_json_where_they_can_be_read_as_json() -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna(
        "do",
        "task-3",
        "-p",
        "limit=3",
        "-p",
        "day=monday",
        "-p",
        'who={"a": [1]}',
        "-p",
        "x=NaN",
        "-p",
        "empty=",
        "-p",
        "eq=a=b",
        engine=engine,
    )

    assert engine.commands == [
        InvokeTask(
            task="task-3",
            params={
                "limit": 3,
                "day": "monday",
                "who": {"a": [1]},
                "x": "NaN",
                "empty": "",
                "eq": "a=b",
            },
        )
    ]


@pytest.mark.parametrize(
    ("view", "words", "is_noted"),
    [
        (completed_run(), ("--key", "today"), True),
        (completed_run(), ("--key", "today", "--detach"), True),
        (completed_run(), (), False),
        (completed_run().model_copy(update={"created_at": NOW}), ("--key", "today"), False),
        (completed_run().model_copy(update={"created_at": None}), ("--key", "today"), False),
        (a_run(a_task("task-3", "", "started@0")), ("--key", "today"), False),
    ],
)
def test_key_of_an_ended_run_starts_nothing_and_is_noted(
    view: RunView, words: tuple[str, ...], *, is_noted: bool
) -> None:
    result = dyna("do", "task-3", *words, engine=FakeEngine(views=[view]))

    note = f"key 'today' names run {RUN}, which had ended before: nothing was started\n"
    assert (note in result.err) == is_noted
    assert ("next: another --key, or none, starts another run" in result.err) == is_noted


def test_key_and_max_age_are_sent() -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna("do", "task-3", "--key", "today", "--max-age", "6h", engine=engine)

    assert engine.commands == [InvokeTask(task="task-3", key="today", max_age_s=21600)]


@pytest.mark.parametrize(
    ("options", "joins"),
    [((), True), (("--new",), False), (("--key", "k"), False)],
)
def test_interrupted_run_is_joined_unless_new_or_key(
    options: tuple[str, ...], *, joins: bool
) -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna("do", "task-3", *options, engine=engine)

    assert engine.joined_with is joins


def test_new_run_with_a_key_is_refused() -> None:
    engine = FakeEngine(views=[completed_run()])

    result = dyna("do", "task-3", "--key", "k", "--new", engine=engine)

    assert (result.status, engine.commands) == (2, [])
    assert result.err == (
        "error: --new and --key exclude each other.\n"
        "  a key names one run: the same key gives the same run\n"
        "  next: use another --key, or leave one of the two out\n"
    )


def test_runs_on_aws_are_not_joined() -> None:
    engine = FakeEngine(views=[completed_run()])

    dyna("--bus", "cordyna", "do", "task-3", engine=engine)

    assert engine.joined_with is False


def test_joined_run_is_announced() -> None:
    result = dyna(
        "do", "task-3", engine=FakeEngine(views=[completed_run()], answer=Invoked(RUN, joined=True))
    )

    assert result.err.startswith(
        f"joined run {RUN}, which has the same task and parameters (--new starts another)\n"
    )


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("options", [(), ("--detach",)])
def test_do_json_says_whether_the_run_was_joined(options: tuple[str, ...], *, joined: bool) -> None:
    engine = FakeEngine(views=[completed_run()], answer=Invoked(RUN, joined=joined))

    assert dyna("do", "task-3", "--json", *options, engine=engine).json["joined"] is joined


def test_detached_run_prints_its_id() -> None:
    result = dyna("do", "task-3", "--detach", engine=running())

    assert (result.status, result.out) == (0, f"{RUN}\n")
    assert result.err.endswith(f"  next: dyna watch {RUN}\n")


def test_detached_run_with_json_is_one_object() -> None:
    assert dyna("do", "task-3", "--detach", "--json", engine=running()).json["state"] == "running"


def test_progress_without_terminal_is_a_line_for_each_change() -> None:
    first = a_run(a_task("task-1", "", "dispatched@0"), a_task("task-3", "task-1"))
    then = a_run(
        a_task(
            "task-1", "", "dispatched@0 started@0.5 retry_wait@1 dispatched/2@3 error:failed/2@4"
        ),
        a_task("task-3", "task-1"),
        state="error",
    )

    result = dyna("do", "task-3", engine=FakeEngine(views=[first, then]))

    assert result.err.splitlines() == [
        f"run {RUN}: task-3, 2 tasks on 1 server",
        "03:04:05.000 task-1 on server-a: pending dispatched",
        "03:04:05.500 task-1 on server-a: started",
        "03:04:06.000 task-1 on server-a: pending retry_wait",
        "03:04:08.000 task-1 on server-a: pending dispatched (attempt 2)",
        "03:04:09.000 task-1 on server-a: error failed (attempt 2): ValueError: bad row 7",
    ]


def test_progress_on_terminal_is_a_tree_on_stderr() -> None:
    result = dyna(
        "do", "task-3", engine=FakeEngine(views=[*running().views, completed_run()]), terminal=True
    )

    assert "task-3 running" in without_escapes(result.err)
    assert "└─" in without_escapes(result.err)
    assert "task-3 completed in 5.0 s" in without_escapes(result.out)


def test_wait_that_ends_exits_with_124_and_names_next() -> None:
    engine = running()

    result = dyna("do", "task-3", "--wait", "30m", engine=engine)

    assert (result.status, engine.waited) == (124, 1800)
    assert result.err.endswith(
        f"gave up waiting after 30 m 00 s: run {RUN} is kept as it is, and can be taken up.\n"
        "  next: dyna do task-3 --wait 30m\n"
    )


def test_ctrl_c_stops_waiting_and_names_next() -> None:
    engine = FakeEngine(views=running().views, interrupt=True)

    result = dyna("--server", "my.py", "do", "task-3", "--new", "-p", "day=new year", engine=engine)

    assert result.status == 130
    assert result.out == ""
    assert result.err.endswith(
        f"interrupted: run {RUN} is kept as it is, and can be taken up.\n"
        "  next: dyna --server my.py do task-3 -p 'day=new year'\n"
    )
    assert engine.closed


def test_sigterm_stops_waiting_as_ctrl_c_does() -> None:
    """In another thread, which may not handle signals, a run is followed all the same."""

    class Terminated(FakeEngine):
        def follow(self, run_id: str, *, timeout_s: float | None = None) -> Iterator[RunView]:
            yield from super().follow(run_id, timeout_s=timeout_s)
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                next_one.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    next_one: list[object] = []

    result = dyna("do", "task-3", engine=Terminated(views=running().views))

    assert result.status == 130
    assert result.err.endswith(
        f"terminated: run {RUN} is kept as it is, and can be taken up.\n  next: dyna do task-3\n"
    )
    assert next_one == [signal.SIG_DFL], "the next SIGTERM ends the process"
    assert signal.getsignal(signal.SIGTERM) is before
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(dyna, "do", "task-3", engine=running()).result().status == 124


def test_ctrl_c_on_aws_says_that_the_run_continues() -> None:
    result = dyna(
        "--profile",
        "p",
        "do",
        "task-3",
        engine=FakeEngine(views=running().views, interrupt=True, drives=False),
    )

    assert result.err.endswith(f"interrupted: run {RUN} continues.\n  next: dyna watch {RUN}\n")


def test_ctrl_c_while_another_process_drives_says_so() -> None:
    views = running().views
    engine = FakeEngine(views=views, interrupt=True, drives=False, driven_by=Driver())

    result = dyna("do", "task-3", engine=engine)

    assert result.err.endswith(
        f"interrupted: run {RUN} continues: another process drives it.\n  next: dyna watch {RUN}\n"
    )


def test_ctrl_c_while_no_process_drives_says_so() -> None:
    engine = FakeEngine(views=running().views, interrupt=True, drives=False)

    result = dyna("watch", engine=engine)

    assert result.err.startswith("no process drives it")
    assert result.err.endswith(
        f"interrupted: run {RUN} rests: no process drives it.\n  next: dyna dev\n"
    )


@pytest.mark.parametrize(
    ("engine", "status"),
    [(running(), 124), (FakeEngine(views=running().views, interrupt=True), 130)],
)
def test_json_is_printed_also_when_waiting_ended(engine: FakeEngine, status: int) -> None:
    result = dyna("do", "task-3", "--json", "--wait", "5", engine=engine)

    assert (result.status, result.json["state"]) == (status, "running")


def test_watch_follows_the_last_run_and_exits_like_do() -> None:
    assert dyna("watch", engine=FakeEngine(views=[failed_run()])).status == 1
    assert (
        dyna("watch", RUN[:6].lower(), "--json", engine=FakeEngine(views=[completed_run()])).json[
            "state"
        ]
        == "completed"
    )
