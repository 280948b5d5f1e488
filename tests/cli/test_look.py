"""dyna show, why, timeline, events, logs: of the last run, or of a run by its id."""

from pathlib import Path

import pytest

from cli.fake_engine import FakeEngine
from cli.run_builders import RUN, T0, a_run, a_task, at, completed_run, failed_run, wide_run
from cli.run_dyna import dyna, without_escapes
from cli.sample_messages import PASSED, TEXTS
from cordyna_cli.engine import EngineLocation
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.views.runs import LogLine, RunSummary

LINES = [
    LogLine(run_id=RUN, task="task-1", attempt=1, at=at(1), stream="stdout", text="reading\n"),
    LogLine(
        run_id=RUN, task="task-1", attempt=1, at=at(1.5), stream="stderr", text="\x1b[31mred\x1b[0m"
    ),
    LogLine(run_id=RUN, task="task-3", attempt=2, at=at(2), stream="log", text="done " + "x" * 200),
]


OTHER_RUN = run_id_of("task-3", "another")


def summaries(*ids: str) -> list[RunSummary]:
    return [
        RunSummary(run_id=run_id, task="task-3", state="completed", created_at=T0) for run_id in ids
    ]


@pytest.mark.parametrize("command", ["show", "why", "timeline", "events", "logs", "watch"])
def test_missing_run_means_the_last_run(command: str) -> None:
    result = dyna(command, engine=FakeEngine(views=[completed_run()]))

    assert result.status == 0


@pytest.mark.parametrize("command", ["show", "why", "timeline", "events", "logs", "watch"])
def test_missing_run_without_any_run_exits_with_3(command: str) -> None:
    result = dyna(command, engine=FakeEngine())

    assert result.status == 3
    assert result.err == "error: there is no run yet (in memory).\n  next: dyna do TASK\n"


def test_place_of_an_engine_is_its_folder_if_it_has_one() -> None:
    assert EngineLocation(name="embedded", folder=Path("/p/.cordyna")).shown == "/p/.cordyna"


@pytest.mark.parametrize("typed", [RUN, RUN.lower(), RUN[:4], RUN[:9].lower()])
def test_run_is_found_by_id_or_its_beginning(typed: str) -> None:
    assert dyna("show", typed, engine=FakeEngine(views=[completed_run()])).status == 0


def test_unknown_run_exits_with_3() -> None:
    engine = FakeEngine(views=[completed_run()])

    assert (
        dyna("show", "nothing", engine=engine).err
        == 'error: there is no run "nothing".\n  no id of the newest 1000 runs begins so\n'
        "  next: `dyna runs` lists the newest\n"
    )
    assert dyna("show", run_id_of("other", "key"), engine=engine).status == 3


def test_task_instead_of_a_run_names_its_last_run() -> None:
    summary = RunSummary(run_id=RUN, task="task-3", state="completed", created_at=T0)

    result = dyna("show", "task-3", engine=FakeEngine(summaries=[summary]))

    assert (result.status, result.err.splitlines()) == (
        3,
        [
            'error: there is no run "task-3"; it is a task.',
            f"  its last run is {RUN}",
            "  next: `dyna runs --task task-3` lists its runs",
        ],
    )


def test_ambiguous_beginning_of_a_run_is_an_error() -> None:
    result = dyna(
        "show", "0A", engine=FakeEngine(summaries=summaries("0A" + "1" * 24, "0A" + "2" * 24))
    )

    assert result.status == 1
    assert 'error: "0A" is the beginning of 2 runs.\n  0A1' in result.err


def test_show_of_failed_run_exits_with_0() -> None:
    result = dyna("show", engine=FakeEngine(views=[failed_run()]))

    assert (result.status, result.err) == (0, "")
    assert "✗ report ended in error" in result.out


def test_show_of_live_run_names_watch() -> None:
    result = dyna("show", engine=FakeEngine(views=[wide_run()]), terminal=True)

    assert f"next: dyna watch {RUN}" in without_escapes(result.out)
    assert "… 291 tasks" in without_escapes(result.out)


def test_show_all_has_every_task_of_a_large_run() -> None:
    engine = FakeEngine(views=[wide_run()])

    assert "part-297" in dyna("show", "--all", engine=engine, terminal=True).out
    assert "part-297" in dyna("show", engine=engine).out
    assert "part-297" not in dyna("show", engine=engine, terminal=True).out


def test_why_takes_a_lone_word_as_task_of_the_last_run() -> None:
    engine = FakeEngine(views=[failed_run()])

    assert dyna("why", engine=engine).out.startswith("✗ report ended in error: clean")
    assert dyna("why", "load", engine=engine).out.startswith("⊘ load on server-b")
    assert dyna("why", RUN, "clean", engine=engine).out.startswith("✗ clean on server-a")
    assert dyna("why", RUN[:6], engine=engine).out.startswith("✗ report ended in error")


def test_why_offers_no_lines_of_a_body_that_printed_none() -> None:
    line = LogLine(run_id=RUN, task="clean", attempt=1, at=T0, stream="stdout", text="half way")
    silent, printed = FakeEngine(views=[failed_run()]), FakeEngine(views=[failed_run()])
    printed.printed = [line]
    late = FakeEngine(views=[failed_run()], has_live_events=False)

    assert dyna("why", "clean", engine=silent).out.splitlines()[-2:] == [
        "  it printed nothing",
        f"  next: dyna retry {RUN}   (once it is fixed)",
    ]
    for engine in (printed, late):
        lines = dyna("why", "clean", engine=engine).out.splitlines()
        assert lines[-2:] == [
            f"  next: dyna logs {RUN} clean",
            f"  once fixed: dyna retry {RUN}",
        ]


def test_why_of_silent_task_that_is_tried_again_says_watch() -> None:
    task = a_task("x", "", "dispatched@0 started@1 retry_wait@2")

    why = dyna("why", "x", engine=FakeEngine(views=[a_run(task)])).out

    assert why.splitlines()[-1] == f"  next: dyna watch {RUN}"


def test_lone_task_of_no_last_run_means_its_own_last_run() -> None:
    other = completed_run().model_copy(update={"run_id": OTHER_RUN})
    listed = [
        RunSummary(run_id=RUN, task="report", state="error", created_at=T0),
        RunSummary(run_id=OTHER_RUN, task="task-3", state="completed", created_at=T0),
    ]
    engine = FakeEngine(views=[other, failed_run()], summaries=listed)

    assert dyna("why", "task-3", engine=engine).out.startswith("✓ task-3 on server-b")
    assert dyna("why", "load", engine=engine).out.startswith("⊘ load on server-b")
    assert f"run {RUN} has no task" in dyna("why", "nowhere", engine=engine).err
    assert f"run {RUN} has no task" in dyna("why", "no name", engine=engine).err


def test_name_of_a_task_comes_before_a_run_that_begins_so() -> None:
    named_like_the_run = RUN[:1].lower()
    view = failed_run()
    tasks = [
        task.model_copy(update={"task": named_like_the_run}) if task.task == "load" else task
        for task in view.tasks
    ]
    engine = FakeEngine(views=[view.model_copy(update={"tasks": tasks})])

    why = dyna("why", named_like_the_run, engine=engine).out

    assert why.startswith(f"⊘ {named_like_the_run} on server-b")
    assert dyna("why", RUN[:2], engine=engine).out.startswith("✗ report ended in error")


def test_task_outside_the_run_suggests_near_names() -> None:
    for command in ("why", "logs"):
        result = dyna(command, RUN, "claen", engine=FakeEngine(views=[failed_run()]))

        assert result.status == 3
        assert (
            result.err == f'error: run {RUN} has no task "claen".\n'
            f"  next: did you mean clean? `dyna show {RUN}` lists all\n"
        )


def test_timeline_fits_the_terminal() -> None:
    result = dyna("timeline", engine=FakeEngine(views=[completed_run()]), terminal=True, width=70)

    assert "█" in result.out
    assert max(map(len, without_escapes(result.out).splitlines())) <= 70


def test_events_are_those_of_the_run_without_all() -> None:
    engine = FakeEngine(views=[completed_run()], passed=PASSED)

    of_run, all_of_them = (
        dyna("events", engine=engine).out,
        dyna("events", "--all", engine=engine).out,
    )

    assert len(of_run.splitlines()) == 1 + sum(RUN in text for text in TEXTS)
    assert len(all_of_them.splitlines()) == 1 + len(TEXTS)


def test_logs_show_time_task_stream_and_whole_text() -> None:
    result = dyna(
        "logs", engine=FakeEngine(views=[completed_run()], printed=LINES), terminal=True, width=60
    )

    assert without_escapes(result.out).splitlines() == [
        "03:04:06.000  task-1/1  │ reading",
        "03:04:06.500  task-1/1  ! red",
        "03:04:07.000  task-3/2  · done " + "x" * 200,
    ]


def test_shared_log_line_is_shown_once_with_its_tasks() -> None:
    first, then = (
        LogLine(run_id=RUN, task=task, attempt=1, at=at(n), stream="shared", text="from a thread")
        for n, task in ((1, "task-1"), (1.1, "task-2"))
    )

    result = dyna("logs", engine=FakeEngine(views=[completed_run()], printed=[first, then, first]))

    assert result.out.splitlines() == [
        "03:04:06.000  task-1/1 and task-2/1  ┆ from a thread",
        "03:04:06.000  task-1/1               ┆ from a thread",
    ]
    assert (
        result.err
        == "┆ by a thread or process while several tasks ran: it may belong to any of them\n"
    )


def test_logs_of_one_task_leave_out_the_others() -> None:
    engine = FakeEngine(views=[completed_run()], printed=LINES)

    assert len(dyna("logs", "task-3", engine=engine).out.splitlines()) == 1
    assert dyna("logs", "task-2", engine=engine).err == f"task-2 printed nothing in run {RUN}\n"


def test_empty_logs_print_a_hint() -> None:
    result = dyna("logs", engine=FakeEngine(views=[completed_run()]))

    assert (result.status, result.out, result.err) == (0, "", f"nothing was printed in run {RUN}\n")
