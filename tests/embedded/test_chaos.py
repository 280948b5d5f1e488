"""Random bodies that misbehave on three servers at once, beside an innocent server.

Runs, output and clocks of the innocent server stay exact, and so does how each of the others ends.
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.engine import spec_of
from cerebro.embedded.storage.home import DiskHome
from cordyna_cli.engine import Invoked, ServerOptions
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.views.runs import RunView
from worker.test_misbehaving_bodies import CHAOS, EXPECTED, WAYS

SERVERS: Final = Path(__file__).parents[1] / "worker" / "servers"
NUMBERS: Final = itertools.count()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    folder = tmp_path_factory.mktemp("chaos")
    specs = {}
    for name, file in CHAOS.items():
        target = folder / name / "chaos.py"
        target.parent.mkdir()
        target.write_text((SERVERS / f"{file}.py").read_text())
        env = (("MISBEHAVING_NAME", name), ("MISBEHAVING_PREFIX", f"{name}."))
        options = ServerOptions(concurrency=3, env=env)
        specs[str(target)] = spec_of(str(target), options)
    innocent = str(SERVERS / "innocent.py")
    specs[innocent] = spec_of(innocent)
    with EmbeddedEngine(DiskHome(folder / "home"), specs=specs) as engine:
        yield engine


def begin(engine: EmbeddedEngine, task: str, **params: object) -> str:
    invoked = engine.invoke(InvokeTask(task=task, params=params), detached=True)
    assert isinstance(invoked, Invoked), invoked
    return invoked.run_id


def end_of(engine: EmbeddedEngine, run_id: str) -> RunView:
    *_, view = engine.follow(run_id, timeout_s=120)
    return view


@settings(
    max_examples=int(os.environ.get("WORKER_EXAMPLES", "3")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.sampled_from(WAYS), min_size=4, max_size=10))
def test_misbehaving_bodies_affect_no_other_run(
    engine: EmbeddedEngine,
    tmp_path_factory: pytest.TempPathFactory,
    ways: list[tuple[str, str]],
) -> None:
    marker = tmp_path_factory.mktemp("markers") / "tried"
    chaos = {begin(engine, f"{server}.{task}"): (server, task) for server, task in ways}
    numbers = [next(NUMBERS) for _ in range(4)]
    counting = {begin(engine, "count", number=number): number for number in numbers}
    retried = begin(engine, "second-try", number=7, marker=str(marker))
    too_long = begin(engine, "too-long")

    for run_id, number in counting.items():
        check_count(engine, run_id, number)
    check_retried(end_of(engine, retried))
    check_timed_out(end_of(engine, too_long))
    for run_id, (server, task) in chaos.items():
        view = end_of(engine, run_id)
        assert (view.tasks[0].reason or view.state) == EXPECTED[server][task], task
    frames = [reason for _, reason in engine.dead_letters()]
    assert [reason for reason in frames if not reason.startswith("a frame of a worker: ")] == []


def check_count(engine: EmbeddedEngine, run_id: str, number: int) -> None:
    view = end_of(engine, run_id)
    assert (view.state, view.tasks[0].output) == ("completed", {"number": number})
    assert view.tasks[0].attempt == 1
    lines = [(line.stream, line.text) for line in engine.logs(run_id)]
    printed = [text for stream, text in lines if stream == "stdout"]
    assert printed == [f"innocent {number} {line}" for line in range(20)]
    assert ("stderr", f"{number} on stderr") in lines
    assert ("log", f"INFO {number} logged") in lines
    assert len(lines) == 22


def check_retried(view: RunView) -> None:
    """It failed once, waited for its retry, and completed: no clock of it ran out."""
    tasks = {task.task: task for task in view.tasks}
    second = tasks["second-try"]
    assert (view.state, second.output, second.attempt) == ("completed", 7, 2)
    reasons = {entry.reason for task in view.tasks for entry in task.timeline}
    assert not reasons & {"ack_timeout", "start_timeout", "run_timeout", "worker_died"}
    failed_at, again_at = (
        next(entry.at for entry in second.timeline if (entry.attempt, entry.reason) == wanted)
        for wanted in ((1, "failed"), (2, "dispatched"))
    )
    assert again_at > failed_at, "a retry waits for its back-off"


def check_timed_out(view: RunView) -> None:
    """Its clock ends it: not before its time, and by its reason."""
    (task,) = view.tasks
    assert (view.state, task.reason, task.attempt) == ("error", "run_timeout", 1)
    started_at, ended_at = (
        next(entry.at for entry in task.timeline if entry.state == state)
        for state in ("started", "error")
    )
    assert (ended_at - started_at).total_seconds() >= 0.99
