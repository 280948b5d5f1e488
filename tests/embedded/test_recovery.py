"""What an engine does with the runs of one that is gone."""

import pytest

from cerebro.core.run.recovery import MOST_DEATHS
from cordyna_core.contract.commands import RunTask
from world.scenarios import an_engine


def test_recovery_resends_live_attempt_with_new_deadline() -> None:
    world = an_engine("a: x", silent=("x",))
    run = world.invoke("x")
    world.after(9)

    world.driver.loop.resume_run(run, died=True)
    world.driver.loop.flush()

    assert [command.attempt for command in world.commands] == [1, 1]
    assert world.after(9).states() == {"x": "pending dispatched"}
    assert world.after(3).states() == {"x": "error ack_timeout"}


def test_recovery_does_not_resend_completed_tasks() -> None:
    world = an_engine("a: x", "b: y<-x", silent=("y",))
    run = world.invoke("y")

    world.driver.loop.resume_run(run, died=True)
    world.driver.loop.flush()

    assert [command.task for command in world.commands] == ["x", "y", "y"]


@pytest.mark.parametrize("died", [True, False])
def test_attempt_that_survives_ten_engine_deaths_is_ended(*, died: bool) -> None:
    world = an_engine("a: x", silent=("x",))
    run = world.invoke("x")

    for _ in range(MOST_DEATHS):
        world.driver.loop.resume_run(run, died=died)
        world.driver.loop.flush()
    world.after(5)

    task = world.task("x")
    if died:
        assert (task.state, task.reason) == ("error", "failed_terminal")
        assert task.error is not None
        assert task.error.type == "EngineDied"
        assert world.run().state == "error"
    else:
        assert task.state == "pending"
        assert len(world.driver.events_of(RunTask)) == 1 + MOST_DEATHS
