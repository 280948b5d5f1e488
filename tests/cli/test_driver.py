"""Which process drives a home: in show, do --detach and cron ls."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from cli.fake_engine import FakeEngine
from cli.run_builders import RUN, T0, a_run, a_task, completed_run
from cli.run_dyna import dyna
from cordyna_core.contract.views.graph import TaskInfo


@dataclass(frozen=True)
class Driver:
    pid: int = 4711
    since: float = T0.timestamp()
    servers: tuple[str, ...] = ("sales", "stock")
    command: str = "dyna dev"
    state: Literal["running", "killed"] = "running"


RUNNING = "process 4711 (dyna dev) drives it since 03:04:05Z, with sales and stock\n"
KILLED = (
    "process 4711 (dyna dev) drove it and was killed: no process drives it now\n  next: dyna dev\n"
)
NONE = "no process drives it: what waits goes to its servers when one does\n  next: dyna dev\n"
DRIVERS = [(Driver(), RUNNING), (Driver(state="killed"), KILLED), (None, NONE)]


def an_engine(driver: Driver | None, **more: Any) -> FakeEngine:
    return FakeEngine(
        views=[a_run(a_task("x", "", "dispatched@1"))],
        declared=[TaskInfo(task="x", server="s", upstream=[], cron="0 6 * * *")],
        driven_by=driver,
        drives=False,
        **more,
    )


@pytest.mark.parametrize(("driver", "text"), DRIVERS)
def test_show_of_live_run_names_the_driver(driver: Driver | None, text: str) -> None:
    assert dyna("show", engine=an_engine(driver)).err == text


@pytest.mark.parametrize(("driver", "text"), [*DRIVERS[1:], (Driver(), "")])
def test_why_of_a_run_that_rests_says_how_to_go_on(driver: Driver | None, text: str) -> None:
    assert dyna("why", engine=an_engine(driver)).err == text


def test_show_of_ended_run_names_no_driver() -> None:
    assert dyna("show", engine=FakeEngine(views=[completed_run()], drives=False)).err == ""


@pytest.mark.parametrize(("driver", "text"), DRIVERS)
def test_cron_ls_names_the_driver(driver: Driver | None, text: str) -> None:
    assert dyna("cron", "ls", engine=an_engine(driver)).err == text


@pytest.mark.parametrize(("driver", "text"), DRIVERS)
def test_detached_run_names_the_driver(driver: Driver | None, text: str) -> None:
    result = dyna("do", "x", "--detach", engine=an_engine(driver))

    assert (result.out, result.err) == (f"{RUN}\n", f"{text}  next: dyna watch {RUN}\n")


@pytest.mark.parametrize("words", [("show",), ("cron", "ls"), ("do", "x", "--detach")])
def test_driver_of_a_cloud_is_not_named(words: tuple[str, ...]) -> None:
    assert "drive" not in dyna("--bus", "b", *words, engine=an_engine(None)).err


def test_detached_run_that_this_process_drove_rests() -> None:
    engine = an_engine(None)
    engine.drives = True

    assert dyna("do", "x", "--detach", engine=engine).err.splitlines()[:2] == [
        "the run rests until a process drives it",
        "  next: dyna dev",
    ]
    assert engine.detached


def test_detached_run_that_has_ended_does_not_rest() -> None:
    engine = FakeEngine(views=[completed_run()])
    engine.drives = True

    result = dyna("do", "task-3", "--detach", engine=engine)

    assert (result.out, result.err) == (f"{RUN}\n", f"  next: dyna watch {RUN}\n")


def test_cron_ls_of_this_process_says_that_it_ends() -> None:
    engine = an_engine(None)
    engine.drives = True

    assert dyna("cron", "ls", engine=engine).err.splitlines() == [
        "crons fire while a process stays up",
        "  next: dyna dev",
    ]


def test_dev_beside_another_driver_says_that_it_waits() -> None:
    """Two `dyna dev` of one home: the second one fires no cron and reloads no file."""
    engine = an_engine(Driver(), interrupt=True)
    waits = f"INFO {RUNNING.strip()}; this process takes over when it ends"
    assert waits in dyna("dev", "--no-page", engine=engine).err.splitlines()

    engine = an_engine(Driver(), interrupt=True)
    engine.drives = True
    assert "takes over" not in dyna("dev", "--no-page", engine=engine).err
