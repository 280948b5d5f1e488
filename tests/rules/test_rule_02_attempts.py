"""Rule 2: attempts step by one and fence off outdated updates (docs/rules.md, rule 2)."""

import pytest

from cordyna_core.contract.ids import CEREBRO, CLIENT, server_source
from cordyna_core.errors import Fatal
from world.scenarios import a_run


def test_attempt_steps_by_one_at_dispatch() -> None:
    world = a_run("a", declared={"a": {"retries": 2}}, a="error").after(7)
    world.reach("a", "error")
    world.after(14)
    assert world.sent == [("a", 1), ("a", 2), ("a", 3)]


def test_update_of_older_attempt_has_no_effect() -> None:
    world = a_run("a  b<-a", declared={"a": {"retries": 1}}, a="error").after(7)
    world.report("a", "started")
    fact = world.fact("a")
    world.report("a", "started", attempt=1)
    world.report("a", "queued", attempt=1)
    assert world.fact("a") == fact


def test_error_of_older_attempt_does_not_fail_newer() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="error").after(7)
    world.report("a", "error", attempt=1)
    assert world.state_of("a") == "pending dispatched"
    assert world.task("a").attempt == 2


def test_update_of_unsent_attempt_is_dead_lettered() -> None:
    world = a_run("a  b<-a", a="started")
    with pytest.raises(Fatal, match="attempt 2 of task 'a' was never sent"):
        world.report("a", "completed", attempt=2)
    assert world.state_of("a") == "started"


def test_update_of_undispatched_task_is_dead_lettered() -> None:
    world = a_run("a  b<-a", a="started")
    with pytest.raises(Fatal, match="never sent"):
        world.report("b", "completed", attempt=1)
    assert world.state_of("b") == "pending waiting"


@pytest.mark.parametrize("source", [server_source("stranger"), CLIENT, CEREBRO])
def test_update_from_other_sender_is_dead_lettered(source: str) -> None:
    world = a_run("a  b<-a", a="started")
    with pytest.raises(Fatal):
        world.report("a", "completed", source=source)
    assert world.state_of("a") == "started"


def test_update_from_server_that_does_not_own_task_is_refused() -> None:
    world = a_run("a  b<-a", a="started")
    forged = world.update("a", "completed")
    claimed = forged.message.model_copy(update={"server": "stranger"})
    with pytest.raises(Fatal, match="it runs on 's'"):
        world.handle(type(forged)(server_source("stranger"), claimed, "event", forged.time))


def test_update_to_pending_by_server_is_dead_lettered() -> None:
    world = a_run("a", a="started")
    with pytest.raises(Fatal, match="does not report state 'pending'"):
        world.report("a", "pending")


def test_late_error_after_an_expiry_is_shown_beside_it() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}).after(17)
    assert world.fact("a").attempt == 2
    world.report("a", "error", attempt=1)
    late = [entry for entry in world.fact("a").timeline if entry.reason == "late"]
    assert [(entry.attempt, entry.state, entry.by) for entry in late] == [
        (1, "error", "cordyna.server.s")
    ]


def test_update_of_older_attempt_leads_to_nothing_else() -> None:
    world = a_run("a  b<-a", declared={"a": {"retries": 1}}, a="error").after(7)
    late = world.update("a", "started", attempt=1)
    resume = world.driver.begin(late, effects=0)
    assert resume(100) <= 6, "run, clock, sign of life, and fact and clock once more"
