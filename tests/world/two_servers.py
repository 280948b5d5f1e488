"""Two servers with a task that fails, and the run of a task of theirs as it is at its end."""

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.views.runs import RunView


def finished(engine: EmbeddedEngine, task: str, *, join: bool = False, **params: object) -> RunView:
    """The run of a task as it is at its end."""
    taken = engine.invoke(InvokeTask(task=task, params=params), join=join)
    assert isinstance(taken, Invoked), taken
    *_, last = engine.follow(taken.run_id)
    return last


def two_servers() -> list[TaskServer]:
    one, two = TaskServer("one"), TaskServer("two")
    one.task(name="x")(lambda: {"rows": 3})
    one.task(name="bad")(lambda: 1 // 0)

    @two.task(name="y", upstream=["x"])
    def y(times: int = 2) -> int:
        print("times", times)  # noqa: T201  for its log
        return times

    two.task(name="z", upstream=["bad", "y"])(lambda: None)
    return [one, two]
