"""Misbehaving bodies on an engine, beside an innocent server whose runs and output stay exact."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.engine import spec_of
from cerebro.embedded.storage.home import DiskHome
from cordyna_cli.engine import Invoked
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.views.runs import RunView

SERVERS: Final = Path(__file__).parents[1] / "worker" / "servers"


def _expected() -> dict[str, str]:
    """How each misbehaving task ends.

    Not those that only their run clock ends, nor the one whose alarm may ring before its end.
    """
    spec = importlib.util.spec_from_file_location("chaos", SERVERS / "misbehaving.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    left_out = {"sets-an-alarm"}
    return {
        task: end
        for task, end in module.EXPECTED.items()
        if end != "run_timeout" and task not in left_out
    }


EXPECTED: Final = _expected()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    folder = tmp_path_factory.mktemp("chaos")
    chaos = folder / "chaos.py"
    chaos.write_text((SERVERS / "misbehaving.py").read_text())
    targets = (str(chaos), str(SERVERS / "innocent.py"))
    with EmbeddedEngine(
        DiskHome(folder / "home"), specs={target: spec_of(target) for target in targets}
    ) as engine:
        yield engine


def begin(engine: EmbeddedEngine, task: str, **params: object) -> str:
    invoked = engine.invoke(InvokeTask(task=task, params=params), detached=True)
    assert isinstance(invoked, Invoked), invoked
    return invoked.run_id


def end_of(engine: EmbeddedEngine, run_id: str) -> RunView:
    *_, view = engine.follow(run_id, timeout_s=60)
    return view


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.sampled_from(sorted(EXPECTED)), min_size=3, max_size=6))
def test_misbehaving_bodies_affect_no_other_run(engine: EmbeddedEngine, tasks: list[str]) -> None:
    chaos = {begin(engine, task): task for task in tasks}
    innocent = {begin(engine, "count", number=number): number for number in range(4)}

    for run_id, number in innocent.items():
        view = end_of(engine, run_id)
        assert (view.state, view.tasks[0].output) == ("completed", {"number": number})
        lines = [(line.stream, line.text) for line in engine.logs(run_id)]
        printed = [text for stream, text in lines if stream == "stdout"]
        assert printed == [f"innocent {number} {line}" for line in range(20)]
        assert ("stderr", f"{number} on stderr") in lines
        assert len(lines) == 22
    for run_id, task in chaos.items():
        view = end_of(engine, run_id)
        assert (view.tasks[0].reason or view.state) == EXPECTED[task], task
    assert engine.dead_letters() == []
