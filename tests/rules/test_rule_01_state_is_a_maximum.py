"""Rule 1: the state is the maximum of all updates by (attempt, rank) (docs/rules.md, rule 1)."""

from itertools import permutations

import pytest

from world.scenarios import a_run


@pytest.mark.parametrize("order", list(permutations(["queued", "started", "completed"])))
def test_updates_in_any_order_end_in_same_state(order: tuple[str, ...]) -> None:
    world = a_run("a  b<-a")
    for state in order:
        world.report("a", state)
    assert world.state_of("a") == "completed"
    assert world.sent == [("a", 1), ("b", 1)]


@pytest.mark.parametrize("order", list(permutations(["started", "error", "completed"])))
def test_completion_beats_error_of_same_attempt_in_any_order(
    order: tuple[str, ...],
) -> None:
    world = a_run("a  b<-a")
    for state in order:
        world.report("a", state)
    assert world.state_of("a") == "completed"


def test_duplicate_update_changes_nothing() -> None:
    world = a_run("a  b<-a", a="started")
    update = world.report("a", "completed", output=1)
    fact, run = world.fact("a"), world.stored_run()
    world.handle(update)
    assert (world.fact("a"), world.stored_run()) == (fact, run)


def test_duplicate_after_crash_repeats_effects() -> None:
    world = a_run("a  b<-a", a="started")
    update = world.update("a", "completed")
    world.driver.crash_once(update, lambda: world.state_of("a") == "completed")
    assert world.sent == [("a", 1)], "it crashed before it dispatched b"
    world.handle(update)
    assert world.sent == [("a", 1), ("b", 1)]


def test_duplicate_after_run_end_does_not_reopen_run() -> None:
    world = a_run("a  b<-a", a="started")
    update = world.report("a", "completed")
    world.reach("b", "error")
    world.after(10).handle(update)
    assert world.run().state == "error"
    assert world.run_states[-1] == "error"


def test_update_of_lower_rank_changes_nothing() -> None:
    world = a_run("a", a="started")
    world.report("a", "queued")
    assert world.state_of("a") == "started"


def test_completed_before_started_is_accepted() -> None:
    world = a_run("a  b<-a")
    world.report("a", "completed")
    world.report("a", "started")
    assert world.state_of("a") == "completed"
    assert world.state_of("b") == "pending dispatched"


def test_completion_after_expiry_heals_task_run_and_run() -> None:
    world = a_run("a  b<-a", a="started").after(1800 + 5)
    assert world.state_of("a") == "error run_timeout"
    assert world.run().state == "error"
    world.report("a", "completed")
    assert world.state_of("a") == "completed"
    assert world.state_of("b") == "pending dispatched"
    world.reach("b", "completed")
    assert world.run().state == "completed"


def test_completion_of_older_attempt_is_kept_as_late_fact() -> None:
    world = a_run("a  b<-a", declared={"a": {"retries": 1}}, a="error").after(20)
    assert world.task("a").attempt == 2
    world.report("a", "completed", attempt=1)
    assert world.state_of("a") == "error ack_timeout" or world.state_of("a") == "pending dispatched"
    assert world.state_of("b") != "pending dispatched"
    late = world.task("a").timeline[-1]
    assert (late.state, late.reason, late.attempt) == ("completed", "late", 1)


def test_late_fact_repeated_is_kept_once() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="error").after(7)
    for _ in range(3):
        world.report("a", "error", attempt=1)
        world.report("a", "completed", attempt=1)
    assert [entry.reason for entry in world.task("a").timeline].count("late") == 1


def test_heal_crashed_before_rev_steps_it_on_redelivery() -> None:
    world = a_run("a  b<-a", a="error")
    rev = world.stored_run().rev
    update = world.update("a", "completed")
    world.driver.crash_once(update, lambda: world.state_of("a") == "completed")
    assert world.stored_run().rev == rev, "it crashed before that"
    world.handle(update)
    assert world.stored_run().rev > rev, (
        "an end check that read before the heal must not end the run"
    )


def test_end_check_before_target_effects_completes_run() -> None:
    world = a_run("a  b<-a", a="error")
    world.report("a", "completed")
    world.report("b", "started")
    update = world.update("b", "completed")
    world.driver.crash_once(update, lambda: world.state_of("b") == "completed")
    world.after(10)
    assert world.run().state == "completed", (
        "the run was failing once, and nothing is live: but its target has completed"
    )


def test_run_ended_in_error_is_completed_by_later_update() -> None:
    world = a_run("a", a="error").after(5)
    lost, delivered = world.update("a", "completed"), world.update("a", "completed")
    world.driver.crash_once(lost, lambda: world.state_of("a") == "completed")
    assert world.run().state == "error", (
        "it crashed before it healed the run, and it is not delivered again"
    )
    world.handle(delivered)
    assert world.run().state == "completed"
