"""A recorded run decided again: the same cerebro decides the same, another is shown to differ."""

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.run import new_facts
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.replay.recording import recording_of
from cerebro.embedded.replay.replayer import replay
from cerebro.embedded.storage.home import DiskHome, MemoryHome
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.time import rfc3339, utc
from cordyna_core.contract.views.replay import Divergence, ReplayView
from cordyna_core.errors import NotFound, UserError
from world.scenarios import EngineWorld, an_engine

DIAMOND = ("a: bad  good", "b: needs-bad<-bad  needs-good<-good  report<-needs-bad,needs-good")


def replayed(world: EngineWorld, run_id: str) -> ReplayView:
    return replay(recording_of(world.driver.home, run_id))


def shown(view: ReplayView) -> list[tuple[str, str, str | None]]:
    return [(each.how, each.what, each.task) for each in view.divergences]


def test_replay_of_completed_run_has_no_divergence() -> None:
    world = an_engine(*DIAMOND)
    run = world.invoke("report")

    view = replayed(world, run)

    assert view.divergences == []
    # One invocation, five tasks started and completed; the run began and ended, five commands.
    assert (view.task, view.heard, view.decided) == ("report", 11, 7)


def test_replay_of_failure_and_retry_has_no_divergence() -> None:
    world = an_engine(*DIAMOND, fails=("bad",), bad={"retries": 1})
    run = world.invoke("report")
    world.after(60)
    world.driver.fails.clear()
    world.publish(RetryRun(run_id=run), CLIENT)
    world.after(60)
    assert world.run().state == "completed"

    assert replayed(world, run).divergences == []


@pytest.mark.parametrize("said", [(), ("queued",), ("started",), ("queued", "started")])
def test_replay_expires_deadlines_in_virtual_time(said: tuple[Any, ...]) -> None:
    world = an_engine("a: x", silent=("x",), x={"retries": 2})
    run = world.invoke("x")
    for state in said:
        world.after(3).report("x", state)
    world.after(10_000)

    assert replayed(world, run).divergences == []
    assert world.states() == {"x": "error ack_timeout"}


def test_replay_of_malformed_update_has_no_divergence() -> None:
    """What was read of it is an event of the run; the whole of it decided nothing."""
    world = an_engine("a: x", silent=("x",), x={"retries": 1})
    run = world.invoke("x")
    for output in ("NaN", "[1e999]"):
        attempt = world.task("x").attempt
        world.driver.loop.put(
            f'{{"id":"e-{attempt}","time":"{rfc3339(utc(world.now))}",'
            '"source":"cordyna.server.a","detail-type":"TaskStateChanged","detail":'
            f'{{"server":"a","run_id":"{run}","task":"x","attempt":{attempt},'
            f'"state":"completed","output":{output}}}}}'
        )
        world.driver.settle()
        world.after(60).retry()
    world.cancel()

    assert world.task("x").attempt == 3
    assert replayed(world, run).divergences == []


def test_replay_keeps_deadline_that_just_did_not_expire() -> None:
    world = an_engine("a: x", silent=("x",))
    run = world.invoke("x")
    world.after(9.999).report("x", "completed")

    assert replayed(world, run).divergences == []


def test_replay_of_cancelled_run_has_no_divergence() -> None:
    world = an_engine("a: x", "b: y<-x", silent=("x",))
    run = world.invoke("y")
    for command in (CancelRun(run_id=run), RetryRun(run_id=run), CancelRun(run_id=run)):
        world.publish(command, CLIENT)
    world.report("x", "completed")
    world.after(60)

    assert replayed(world, run).divergences == []


def test_replay_uses_recorded_plan_not_present_graph() -> None:
    world = an_engine("a: x  y<-x", silent=("x",))
    run = world.invoke("y")
    world.driver.declare("a: z  y<-z")
    world.report("x", "completed")

    assert replayed(world, run).divergences == []


def test_replay_of_run_refused_once_before_has_no_divergence() -> None:
    world = an_engine("a: y<-x")
    world.invoke("y")
    world.driver.declare("a: y<-x", "b: x")
    run = world.invoke("y")

    assert replayed(world, run).divergences == []


def test_replay_reuses_results_of_other_runs() -> None:
    world = an_engine("a: x", "b: y<-x", y={"upstream": [{"task": "x", "within_s": 3600}]})
    world.driver.silent.add("x")
    world.invoke("y", key="1")
    world.report("x", "completed", output={"rows": "large" * 1000})
    second = world.after(60).invoke("y", key="2")
    assert world.states(second)["x"] == "completed reused"

    assert replayed(world, second).divergences == []


def test_replay_of_active_run_stops_at_its_last_event() -> None:
    world = an_engine("a: x", "b: y<-x", silent=("y",))
    run = world.invoke("y")
    world.after(5)

    assert replayed(world, run).divergences == []


def test_replay_with_other_back_off_reports_missing_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = an_engine("a: x", fails=("x",), x={"retries": 1})
    run = world.invoke("x")
    world.after(60)

    monkeypatch.setattr(new_facts, "back_off_s", lambda task, attempt, run_id: 60.0)
    view = replayed(world, run)

    missing = [(each.what, each.attempt) for each in view.divergences if each.how == "missing"]
    assert ("RunTask", 2) in missing


def test_replay_with_longer_back_off_reports_other_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = an_engine("a: x", silent=("x",), x={"retries": 1})
    run = world.invoke("x")
    world.after(60)

    monkeypatch.setattr(new_facts, "back_off_s", lambda task, attempt, run_id: 9.0)
    view = replayed(world, run)

    late = next(each for each in view.divergences if each.what == "RunTask")
    assert (late.how, late.task) == ("time", "x")
    assert [difference.what for difference in late.differences] == ["at"]


def test_replay_without_retry_reports_every_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = an_engine("a: x", fails=("x",), x={"retries": 1})
    run = world.invoke("x")
    world.after(60)

    monkeypatch.setattr(new_facts, "is_retryable", lambda reason: reason != "failed")
    view = replayed(world, run)

    assert shown(view) == [
        ("missing", "TaskStateChanged pending retry_wait", "x"),
        ("missing", "CancelTask", "x"),
        ("missing", "RunTask", "x"),
        ("time", "RunStateChanged failing", None),
        ("time", "RunStateChanged error", None),
    ]


def test_replay_compares_final_states_that_no_message_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = an_engine("a: x", silent=("x",))
    run = world.invoke("x")
    world.report("x", "queued")

    monkeypatch.setattr("cerebro.core.run.transitions._UPDATES", {})
    view = replayed(world, run)

    (only,) = view.divergences
    assert (only.how, only.task) == ("end", "x")
    assert [(each.what, each.before, each.after) for each in only.differences] == [
        ("state", "queued", "pending"),
        ("reason", None, "dispatched"),
    ]


def test_replay_of_run_without_events_is_refused() -> None:
    world = an_engine("a: x")
    run = world.invoke("x")
    home = MemoryHome()
    home.store = world.driver.home.store

    with pytest.raises(UserError, match="events were not kept"):
        recording_of(home, run)


def test_replay_of_unknown_run_is_not_found() -> None:
    with pytest.raises(NotFound):
        recording_of(MemoryHome(), "0" * 26)


def test_replay_fires_noop_timer_no_later_than_recorded() -> None:
    world = an_engine("a: x", fails=("x",))
    run = world.invoke("x")
    # The timer of the first attempt fired at 10 s, when the run was over. Fired later, it would
    # end the run too soon.
    world.after(11).publish(RetryRun(run_id=run), CLIENT)
    world.after(5)

    assert replayed(world, run).divergences == []


@given(st.data())
def test_replay_of_any_history_has_no_divergence(data: st.DataObject) -> None:
    tasks = ("v", "w", "x", "y")
    retries = {
        task: {"retries": data.draw(st.integers(0, 2), f"retries of {task}"), "start_timeout_s": 30}
        for task in tasks
    }
    some = st.lists(st.sampled_from(tasks), unique=True).map(tuple)
    world = an_engine(
        "a: v  w<-v",
        "b: x<-v  y<-w,x",
        silent=data.draw(some, "silent"),
        fails=data.draw(some, "fails"),
        **retries,
    )
    run = world.invoke("y")
    for _ in range(data.draw(st.integers(0, 8), "moments")):
        match data.draw(st.sampled_from(["time", "word", "word", "retry", "cancel"])):
            case "time":
                world.after(data.draw(st.sampled_from([0.5, 4.0, 11.0, 35.0, 2000.0])))
            case "word":
                state = data.draw(st.sampled_from(["queued", "started", "completed", "error"]))
                world.report(
                    data.draw(st.sampled_from(tasks)),
                    state,
                    attempt=data.draw(st.integers(1, 3)),
                )
            case "retry":
                world.publish(RetryRun(run_id=run), CLIENT)
            case "cancel" if data.draw(st.booleans()):
                world.publish(CancelRun(run_id=run), CLIENT)

    assert replayed(world, run).divergences == []


# --- the engine, with threads and the real clock ----------------------------------------------
def finished(engine: EmbeddedEngine, task: str) -> str:
    taken = engine.invoke(InvokeTask(task=task))
    assert isinstance(taken, Invoked), taken
    for _ in engine.follow(taken.run_id):
        pass
    return taken.run_id


def servers() -> list[TaskServer]:
    one, two = TaskServer("one"), TaskServer("two")
    one.task(name="x")(lambda: {"rows": 3})
    one.task(name="bad")(lambda: 1 // 0)
    two.task(name="y", upstream=["x"])(lambda: None)
    two.task(name="z", upstream=["bad", "y"])(lambda: None)
    return [one, two]


@pytest.mark.parametrize("task", ["y", "z"])
def test_replay_of_engine_runs_has_no_divergence(tmp_path: Path, task: str) -> None:
    with EmbeddedEngine(DiskHome(tmp_path), servers()) as engine:
        for _ in range(5):
            run = finished(engine, task)
            assert engine.replay(run).divergences == []
        engine.command(RetryRun(run_id=run))
        for _ in engine.follow(run):
            pass
        assert engine.replay(run).divergences == []


def test_replay_of_interrupted_run_has_no_divergence(
    tmp_path: Path,
) -> None:
    hold, held = threading.Event(), threading.Event()
    server = TaskServer("s")

    @server.task(name="long")
    def long() -> None:
        held.set()
        hold.wait(20)

    server.task(name="after", upstream=["long"])(lambda: None)
    with EmbeddedEngine(DiskHome(tmp_path), [server]) as engine:
        taken = engine.invoke(InvokeTask(task="after"))
        assert isinstance(taken, Invoked)
        assert held.wait(10)
    hold.set()

    with EmbeddedEngine(DiskHome(tmp_path), [server]) as engine:
        for _ in engine.follow(taken.run_id):
            pass
        view: list[Divergence] = engine.replay(taken.run_id).divergences

    assert view == []
