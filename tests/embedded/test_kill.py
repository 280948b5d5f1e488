"""`kill -9` at any moment of a run of 30 tasks, then the same command again."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import DiskHome
from cerebro.handlers import queries
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.commands import InvokeTask

SIZE = 30
MOMENTS = 50
# A fork of a warm process: importing takes too long for fifty moments.
PROCESS = multiprocessing.get_context("fork")


class DeadlyClock:
    """Kills its process, as `kill -9` does, when it is read for the `last`th time."""

    def __init__(self, last: int | None) -> None:
        self._left = last

    def __call__(self) -> float:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return time.monotonic()


def servers(effects: Path) -> list[TaskServer]:
    """Thirty tasks on two servers; each body appends its name to a file."""
    both = [TaskServer("one"), TaskServer("two")]

    def body(name: str) -> str:
        with effects.open("a") as file:
            file.write(f"{name}\n")
        return name

    for n in range(SIZE - 1):
        upstream = [f"t{u}" for u in sorted({(n - 1) // 2, n - 3}) if 0 <= u < n]
        both[n % 2].task(name=f"t{n}", upstream=upstream)(lambda name=f"t{n}": body(name))
    both[0].task(name="end", upstream=[f"t{n}" for n in range(SIZE - 1)])(lambda: body("end"))
    return both


def do(folder: Path, last: int | None) -> None:
    """`dyna do end`, in a process that dies when its clock is read for the `last`th time."""
    with EmbeddedEngine(
        DiskHome(folder / "home"), servers(folder / "effects"), monotonic=DeadlyClock(last)
    ) as engine:
        taken = engine.invoke(InvokeTask(task="end"), join=True)
        assert isinstance(taken, Invoked)
        *_, view = engine.follow(taken.run_id)
        assert view.state == "completed"


def in_a_process(folder: Path, last: int | None) -> int | None:
    process = PROCESS.Process(target=do, args=(folder, last))
    process.start()
    process.join()
    return process.exitcode


def completed(folder: Path) -> set[str]:
    """The tasks that are recorded as completed."""
    home = DiskHome(folder / "home")
    try:
        runs = home.store.runs(10)
        assert len(runs) <= 1, "the same command again takes the same run up"
        return {
            task.task
            for run in runs
            for task in queries.run(home.store, run.id).tasks
            if task.state == "completed"
        }
    finally:
        home.close()


@pytest.mark.parametrize("group", range(5))
def test_kill_9_at_any_moment_loses_and_repeats_nothing(tmp_path: Path, group: int) -> None:
    kills = 0
    for moment in range(group, MOMENTS, 5):
        folder = tmp_path / str(moment)
        folder.mkdir()
        effects = folder / "effects"
        effects.touch()
        # Spread over the run, which reads the clock about 580 times. Every fifth run is killed
        # once more while it is resumed.
        again_at = [moment * 5 + 3] if moment // 5 % 5 == 0 else []
        for last in (moment * 10 + 70, *again_at, None):
            recorded, ran_before = completed(folder), effects.read_text().split()
            assert recorded <= set(ran_before)
            ended_by = in_a_process(folder, last)
            again = effects.read_text().split()[len(ran_before) :]
            assert recorded.isdisjoint(again), f"killed at reading {last} of the clock"
            if ended_by == 0:
                break
            kills += 1
        assert completed(folder) == {*(f"t{n}" for n in range(SIZE - 1)), "end"}
    assert kills >= 9, "most moments lie within the run"
