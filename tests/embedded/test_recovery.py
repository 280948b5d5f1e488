"""What an engine does with the active runs of an engine that has ended."""

from world.scenarios import an_engine


def test_recovery_resends_live_attempt_with_new_deadline() -> None:
    world = an_engine("a: x", silent=("x",))
    run = world.invoke("x")
    world.after(9)

    world.driver.loop.resume_run(run)
    world.driver.loop.flush()

    assert [command.attempt for command in world.commands] == [1, 1]
    assert world.after(9).states() == {"x": "pending dispatched"}
    assert world.after(3).states() == {"x": "error ack_timeout"}


def test_recovery_does_not_resend_completed_tasks() -> None:
    world = an_engine("a: x", "b: y<-x", silent=("y",))
    run = world.invoke("y")

    world.driver.loop.resume_run(run)
    world.driver.loop.flush()

    assert [command.task for command in world.commands] == ["x", "y", "y"]


def test_recovery_of_unknown_run_does_nothing() -> None:
    world = an_engine("a: x")

    world.driver.loop.resume_run("0" * 26)

    assert world.commands == []
