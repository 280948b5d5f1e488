"""Rule 1: what a fact keeps beside its state: times that do not run backwards, output, error."""

import pytest

from cerebro.core.planning import planner
from cordyna_core.contract.commands import RetryRun
from world.scenarios import a_run, a_world


@pytest.mark.parametrize("hours", [-1, 1])
def test_time_of_a_server_is_between_the_last_line_and_now(hours: int) -> None:
    """The sender's clock may be wrong: its time is shown, limited."""
    world = a_run("a")
    world.now += hours * 3600
    update = world.update("a", "started")
    world.now += 4 - hours * 3600
    world.handle(update)
    sent, started = world.fact("a").timeline
    assert started.at == (sent.at if hours < 0 else world.now)


def test_time_of_a_server_is_that_of_its_event() -> None:
    world = a_run("a")
    world.now += 2
    update = world.update("a", "started")
    world.now += 2
    world.handle(update)
    assert world.fact("a").timeline[-1].at == world.now - 2


def test_output_of_an_update_that_is_no_end_is_not_kept() -> None:
    world = a_run("a")
    world.report("a", "started", output={"rows": 1})
    assert world.fact("a").output is None


@pytest.mark.parametrize(("size", "is_inline"), [(512, True), (513, False)])
def test_output_beyond_512_bytes_is_kept_apart(size: int, *, is_inline: bool) -> None:
    world = a_run("a", a="started")
    world.report("a", "completed", output="x" * (size - 2))
    fact = world.fact("a")
    assert (fact.output_ref is None) is is_inline
    assert world.task("a").output == "x" * (size - 2)


def test_cancelled_attempt_has_no_error_of_its_server() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="error")
    assert world.fact("a").error is not None
    world.cancel()
    assert world.fact("a").error is None


def test_rerun_of_a_join_keeps_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "MAX_AWAITED", 2)
    done = "completed"
    world = a_run("a  b  c  z<-a,b,c", a=done, b=done, c=done, z=done)
    rerun = RetryRun(run_id=world.run_id, command_id="r", from_=["a"], downstream=True)
    world.publish(rerun, "cordyna.client")
    world.reach("a", "completed")
    facts = world.store.read_page(world.run_id, 0).values()
    attempts = [sorted({line.attempt for line in fact.timeline}) for fact in facts]
    assert all(lines == list(range(1, lines[-1] + 1)) for lines in attempts)
    assert sum(lines == [1, 2] for lines in attempts) > 2


def test_reused_result_keeps_the_time_of_its_dispatch() -> None:
    world = a_world("a")
    first = world.invoke("a", max_age_s=60)
    world.reach("a", "completed")
    dispatched_at = world.fact("a").dispatched_at
    world.now += 30
    second = world.invoke("a", max_age_s=60)
    assert first != second
    (reused,) = world.store.read_page(second, 0).values()
    assert (reused.reason, reused.dispatched_at) == ("reused", dispatched_at)
