"""What an engine does with the runs of one that is gone."""

import pytest

from cerebro.core.run.recovery import MOST_DEATHS
from cordyna_core.contract.commands import RunTask
from mission.stage import Stage


def test_recovery_resends_live_attempt_with_new_deadline() -> None:
    stage = Stage("a: x", silent=("x",))
    run = stage.invoke("x")
    stage.after(9)

    stage.loop.resume_run(run, died=True)
    stage.loop.flush()

    assert [command.attempt for command in stage.commands] == [1, 1]
    assert stage.after(9).states(run) == {"x": "pending dispatched"}
    assert stage.after(3).states(run) == {"x": "error ack_timeout"}


def test_recovery_does_not_resend_completed_tasks() -> None:
    stage = Stage("a: x", "b: y<-x", silent=("y",))
    run = stage.invoke("y")

    stage.loop.resume_run(run, died=True)
    stage.loop.flush()

    assert [command.task for command in stage.commands] == ["x", "y", "y"]


@pytest.mark.parametrize("died", [True, False])
def test_attempt_that_survives_ten_engine_deaths_is_ended(
    *, died: bool
) -> None:
    stage = Stage("a: x", silent=("x",))
    run = stage.invoke("x")

    for _ in range(MOST_DEATHS):
        stage.loop.resume_run(run, died=died)
        stage.loop.flush()
    stage.after(5)

    task = stage.task(run, "x")
    if died:
        assert (task.state, task.reason) == ("error", "failed_terminal")
        assert task.error is not None
        assert task.error.type == "EngineDied"
        assert stage.run(run).state == "error"
    else:
        assert task.state == "pending"
        assert len(stage.said(RunTask)) == 1 + MOST_DEATHS
