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


def test_command_sent_again_has_the_new_clock() -> None:
    world = an_engine("a: x", silent=("x",))
    run = world.invoke("x")
    world.after(9)

    world.driver.loop.resume_run(run)
    world.driver.loop.flush()

    first, again = world.commands
    assert (again.ack_by - first.ack_by).total_seconds() == 9
    assert (again.start_by - again.ack_by).total_seconds() == 600


def test_recovery_keeps_the_back_off_of_what_failed() -> None:
    """1. It fails, and waits 20 to 25 s. 2. After 10 s another engine takes up the run."""
    world = an_engine("a: x", fails=("x",), x={"retries": 1, "retry_delay_s": 20})
    run = world.invoke("x")
    world.after(10)

    world.driver.loop.resume_run(run)
    world.driver.settle()

    assert world.states() == {"x": "pending retry_wait"}
    assert [command.attempt for command in world.commands] == [1]
    world.after(16)
    assert [command.attempt for command in world.commands] == [1, 2]


def test_recovery_of_unknown_run_does_nothing() -> None:
    world = an_engine("a: x")

    world.driver.loop.resume_run("0" * 26)

    assert world.commands == []
