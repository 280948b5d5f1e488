"""dyna show, why, timeline, events, logs: the last run, a run by its id, or by the beginning of it."""

import pytest

from cli.conversation import PASSED, TEXTS
from cli.fake_engine import RUN, T0, FakeEngine, at, completed_run, failed_run, wide_run
from cli.running import dyna, seen
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.views.runs import LogLine, RunSummary

LINES = [
    LogLine(run_id=RUN, task="task-1", attempt=1, at=at(1), stream="stdout", text="reading\n"),
    LogLine(
        run_id=RUN, task="task-1", attempt=1, at=at(1.5), stream="stderr", text="\x1b[31mred\x1b[0m"
    ),
    LogLine(run_id=RUN, task="task-3", attempt=2, at=at(2), stream="log", text="done " + "x" * 200),
]


def summaries(*ids: str) -> list[RunSummary]:
    return [
        RunSummary(run_id=run_id, task="task-3", state="completed", created_at=T0) for run_id in ids
    ]


@pytest.mark.parametrize("command", ["show", "why", "timeline", "events", "logs", "watch"])
def test_the_last_run_is_meant_where_none_is_named(command: str) -> None:
    told = dyna(command, engine=FakeEngine(views=[completed_run()]))

    assert told.status == 0


@pytest.mark.parametrize("command", ["show", "why", "timeline", "events", "logs", "watch"])
def test_without_any_run_that_is_said(command: str) -> None:
    told = dyna(command, engine=FakeEngine())

    assert (told.status, told.err) == (3, "error: there is no run yet.\n  next: dyna do TASK\n")


@pytest.mark.parametrize("typed", [RUN, RUN.lower(), RUN[:4], RUN[:9].lower()])
def test_a_run_is_named_by_its_id_or_the_beginning_of_it(typed: str) -> None:
    assert dyna("show", typed, engine=FakeEngine(views=[completed_run()])).status == 0


def test_a_run_that_nobody_knows_exits_with_3() -> None:
    engine = FakeEngine(views=[completed_run()])

    assert (
        dyna("show", "nothing", engine=engine).err
        == 'error: there is no run "nothing".\n  next: `dyna runs` lists the newest\n'
    )
    assert dyna("show", run_id_of("other", "key"), engine=engine).status == 3


def test_a_beginning_of_several_runs_is_not_enough() -> None:
    told = dyna(
        "show", "0A", engine=FakeEngine(summaries=summaries("0A" + "1" * 24, "0A" + "2" * 24))
    )

    assert told.status == 1
    assert 'error: "0A" is the beginning of 2 runs.\n  0A1' in told.err


def test_showing_a_failed_run_is_no_failure() -> None:
    told = dyna("show", engine=FakeEngine(views=[failed_run()]))

    assert (told.status, told.err) == (0, "")
    assert "✗ report ended in error" in told.out


def test_a_run_that_goes_on_is_shown_with_how_to_follow_it() -> None:
    told = dyna("show", engine=FakeEngine(views=[wide_run()]), terminal=True)

    assert f"next: dyna watch {RUN}" in seen(told.out)
    assert "… 291 tasks" in seen(told.out)


def test_all_shows_every_task_of_a_large_run_and_a_pipe_always_does() -> None:
    engine = FakeEngine(views=[wide_run()])

    assert "part-297" in dyna("show", "--all", engine=engine, terminal=True).out
    assert "part-297" in dyna("show", engine=engine).out
    assert "part-297" not in dyna("show", engine=engine, terminal=True).out


def test_why_takes_a_single_word_that_is_no_run_for_a_task_of_the_last_one() -> None:
    engine = FakeEngine(views=[failed_run()])

    assert dyna("why", engine=engine).out.startswith("✗ report ended in error: clean")
    assert dyna("why", "load", engine=engine).out.startswith("⊘ load on server-b")
    assert dyna("why", RUN, "clean", engine=engine).out.startswith("✗ clean on server-a")
    assert dyna("why", RUN[:6], engine=engine).out.startswith("✗ report ended in error")


def test_a_task_that_the_run_does_not_have_suggests_near_ones() -> None:
    for command in ("why", "logs"):
        told = dyna(command, RUN, "claen", engine=FakeEngine(views=[failed_run()]))

        assert told.status == 3
        assert (
            told.err
            == f'error: run {RUN} has no task "claen".\n  next: did you mean clean? `dyna show {RUN}` lists all\n'
        )


def test_timeline_fits_a_terminal() -> None:
    told = dyna("timeline", engine=FakeEngine(views=[completed_run()]), terminal=True, width=70)

    assert "█" in told.out
    assert max(map(len, seen(told.out).splitlines())) <= 70


def test_events_are_those_of_the_run_unless_all_are_asked_for() -> None:
    engine = FakeEngine(views=[completed_run()], passed=PASSED)

    of_run, all_of_them = (
        dyna("events", engine=engine).out,
        dyna("events", "--all", engine=engine).out,
    )

    assert len(of_run.splitlines()) == 1 + sum(RUN in text for text in TEXTS)
    assert len(all_of_them.splitlines()) == 1 + len(TEXTS)


def test_logs_say_when_which_task_and_how_and_never_cut_what_was_printed() -> None:
    told = dyna(
        "logs", engine=FakeEngine(views=[completed_run()], printed=LINES), terminal=True, width=60
    )

    assert seen(told.out).splitlines() == [
        "03:04:06.000  task-1/1  │ reading",
        "03:04:06.500  task-1/1  ! red",
        "03:04:07.000  task-3/2  · done " + "x" * 200,
    ]


def test_what_nobody_knows_whose_it_is_is_shown_once_with_all_whose_it_may_be() -> None:
    first, then = (
        LogLine(run_id=RUN, task=task, attempt=1, at=at(n), stream="shared", text="from a thread")
        for n, task in ((1, "task-1"), (1.1, "task-2"))
    )

    told = dyna("logs", engine=FakeEngine(views=[completed_run()], printed=[first, then, first]))

    assert told.out.splitlines() == [
        "03:04:06.000  task-1/1 and task-2/1  ┆ from a thread",
        "03:04:06.000  task-1/1               ┆ from a thread",
    ]
    assert (
        told.err
        == "┆ by a thread or process while several tasks ran: it may belong to any of them\n"
    )


def test_logs_of_one_task() -> None:
    engine = FakeEngine(views=[completed_run()], printed=LINES)

    assert len(dyna("logs", "task-3", engine=engine).out.splitlines()) == 1
    assert dyna("logs", "task-2", engine=engine).err == f"task-2 printed nothing in run {RUN}\n"


def test_no_logs_are_said_to_be_none() -> None:
    told = dyna("logs", engine=FakeEngine(views=[completed_run()]))

    assert (told.status, told.out, told.err) == (0, "", f"nothing was printed in run {RUN}\n")
