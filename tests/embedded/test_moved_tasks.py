"""A task that another server owns since its run was planned, and refusals of `ctx.invoke`."""

from pathlib import Path

import pytest

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import DiskHome
from cordyna_cli.engine import Invoked, Refused
from cordyna_core import Context, TaskServer
from cordyna_core.contract.commands import InvokeTask, RetryRun
from cordyna_core.contract.envelope import open_envelope
from cordyna_core.contract.state_updates import InvocationRejected
from cordyna_core.contract.views.runs import RunView


def fail() -> None:
    raise ValueError("not yet")


def before() -> list[TaskServer]:
    """Team a has `extract`, which fails, and team b has `load`."""
    a, b = TaskServer("team-a"), TaskServer("team-b")
    a.task(name="extract")(fail)
    b.task(name="load", upstream=["extract"])(lambda: "loaded")
    return [a, b]


def after() -> list[TaskServer]:
    """Team b has both."""
    a, b = TaskServer("team-a"), TaskServer("team-b")
    b.task(name="extract")(lambda: "extracted")
    b.task(name="load", upstream=["extract"])(lambda: "loaded")
    return [a, b]


def finished(engine: EmbeddedEngine, task: str) -> RunView:
    invoked = engine.invoke(InvokeTask(task=task))
    assert isinstance(invoked, Invoked), invoked
    *_, last = engine.follow(invoked.run_id)
    return last


def test_retry_of_moved_task_is_refused_and_a_new_run_completes(tmp_path: Path) -> None:
    with EmbeddedEngine(DiskHome(tmp_path / "home"), before()) as engine:
        run = finished(engine, "load")
    assert run.state == "error"

    with EmbeddedEngine(DiskHome(tmp_path / "home"), after()) as engine:
        refused = engine.command(RetryRun(run_id=run.run_id))
        assert isinstance(refused, Refused)
        (problem,) = refused.problems
        assert (problem.code, problem.path) == ("task_moved", ["extract"])
        assert engine.run(run.run_id).state == "error"
        assert finished(engine, "load").state == "completed"


@pytest.mark.parametrize("task", ["archive", "gone"])
def test_refusal_of_invoke_is_in_the_events_of_the_asking_run(tmp_path: Path, task: str) -> None:
    one, two = TaskServer("one"), TaskServer("two")

    @one.task
    def trigger(*, ctx: Context) -> str:
        return ctx.invoke(task)

    two.task(name="archive", invokers=[])(lambda: None)
    with EmbeddedEngine(DiskHome(tmp_path / "home"), [one, two]) as engine:
        run = finished(engine, "trigger")
        messages = [open_envelope(event.text).message for event in engine.events(run.run_id)]

    (refused,) = [message for message in messages if isinstance(message, InvocationRejected)]
    assert (refused.task, refused.by_task) == (task, "trigger")
