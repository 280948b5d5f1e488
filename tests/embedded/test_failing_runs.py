"""A failing run of the embedded engine ends as soon as nothing of it is live."""

from world.scenarios import EngineWorld, an_engine


def end_idle(world: EngineWorld) -> bool:
    """Do what the driver does when no message waits. Returns whether it is still to be done."""
    world.driver.loop.end_idle_failing_runs()
    return world.driver.loop._failing_runs.has_news


def test_failing_run_is_examined_only_after_news() -> None:
    """1. `x` fails, `y` runs. 2. Nothing happens. 3. `y` completes, and it ends at once."""
    world = an_engine("a: x y z<-x,y", silent=("y",), fails=("x",))
    world.invoke("z")
    assert not end_idle(world)
    assert world.stored_run().status == "running"

    world.report("y", "completed")
    assert world.driver.loop._failing_runs.has_news
    assert not end_idle(world)
    assert world.stored_run().status == "error"


def test_failing_run_of_an_earlier_engine_is_examined() -> None:
    world = an_engine("a: x y z<-x,y", silent=("y",), fails=("x",))
    run_id = world.invoke("z")
    world.driver.restart()
    world.driver.loop.resume_run(run_id)
    world.report("y", "completed")

    end_idle(world)
    assert world.stored_run().status == "error"
