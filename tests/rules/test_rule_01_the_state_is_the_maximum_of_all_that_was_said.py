"""Rule 1: delivery is at least once and unordered; the state is the maximum of all that was said, by (attempt, rank)."""

from itertools import permutations

import pytest

from rules.scene import a_run


@pytest.mark.parametrize("order", list(permutations(["queued", "started", "completed"])))
def test_any_order_of_the_same_words_ends_in_the_same_state(order: tuple[str, ...]) -> None:
    scene = a_run("a  b<-a")
    for state in order:
        scene.says("a", state)
    assert scene.is_at("a") == "completed"
    assert scene.sent == [("a", 1), ("b", 1)]


@pytest.mark.parametrize("order", list(permutations(["started", "error", "completed"])))
def test_a_completion_beats_an_error_of_the_same_attempt_in_any_order(
    order: tuple[str, ...],
) -> None:
    scene = a_run("a  b<-a")
    for state in order:
        scene.says("a", state)
    assert scene.is_at("a") == "completed"


def test_a_duplicate_changes_nothing() -> None:
    scene = a_run("a  b<-a", a="started")
    word = scene.says("a", "completed", output=1)
    fact, run = scene.fact("a"), scene.run_as_kept()
    scene.hears(word)
    assert (scene.fact("a"), scene.run_as_kept()) == (fact, run)


def test_a_duplicate_does_its_effects_again_because_the_first_may_have_crashed() -> None:
    scene = a_run("a  b<-a", a="started")
    word = scene.word("a", "completed")
    scene.crashes_as_soon_as(word, lambda: scene.is_at("a") == "completed")
    assert scene.sent == [("a", 1)], "it crashed before b was dispatched"
    scene.hears(word)
    assert scene.sent == [("a", 1), ("b", 1)]


def test_a_duplicate_that_comes_after_the_end_does_not_open_the_run_again() -> None:
    scene = a_run("a  b<-a", a="started")
    word = scene.says("a", "completed")
    scene.comes_to("b", "error")
    scene.after(10).hears(word)
    assert scene.run().state == "error"
    assert scene.run_states[-1] == "error"


def test_a_lower_word_changes_nothing() -> None:
    scene = a_run("a", a="started")
    scene.says("a", "queued")
    assert scene.is_at("a") == "started"


def test_completed_before_started_is_fine() -> None:
    scene = a_run("a  b<-a")
    scene.says("a", "completed")
    scene.says("a", "started")
    assert scene.is_at("a") == "completed"
    assert scene.is_at("b") == "pending dispatched"


def test_a_completion_after_a_clocks_error_heals_the_task_run_and_the_run() -> None:
    scene = a_run("a  b<-a", a="started").after(1800 + 5)
    assert scene.is_at("a") == "error run_timeout"
    assert scene.run().state == "error"
    scene.says("a", "completed")
    assert scene.is_at("a") == "completed"
    assert scene.is_at("b") == "pending dispatched"
    scene.comes_to("b", "completed")
    assert scene.run().state == "completed"


def test_a_completion_of_an_older_attempt_heals_nothing_but_is_kept_and_shown() -> None:
    scene = a_run("a  b<-a", declared={"a": {"retries": 1}}, a="error").after(20)
    assert scene.task("a").attempt == 2
    scene.says("a", "completed", attempt=1)
    assert scene.is_at("a") == "error ack_timeout" or scene.is_at("a") == "pending dispatched"
    assert scene.is_at("b") != "pending dispatched"
    late = scene.task("a").timeline[-1]
    assert (late.state, late.reason, late.attempt) == ("completed", "late", 1)


def test_a_late_fact_is_kept_once() -> None:
    scene = a_run("a", declared={"a": {"retries": 1}}, a="error").after(7)
    for _ in range(3):
        scene.says("a", "error", attempt=1)
        scene.says("a", "completed", attempt=1)
    assert [entry.reason for entry in scene.task("a").timeline].count("late") == 1


def test_a_healed_run_that_crashed_before_it_stepped_rev_steps_it_when_the_word_comes_again() -> (
    None
):
    scene = a_run("a  b<-a", a="error")
    rev = scene.run_as_kept().rev
    word = scene.word("a", "completed")
    scene.crashes_as_soon_as(word, lambda: scene.is_at("a") == "completed")
    assert scene.run_as_kept().rev == rev, "it crashed before that"
    scene.hears(word)
    assert scene.run_as_kept().rev > rev, "a look that read before the heal must not end the run"


def test_a_run_whose_target_completed_ends_completed_though_a_look_comes_first() -> None:
    scene = a_run("a  b<-a", a="error")
    scene.says("a", "completed")
    scene.says("b", "started")
    word = scene.word("b", "completed")
    scene.crashes_as_soon_as(word, lambda: scene.is_at("b") == "completed")
    scene.after(10)
    assert scene.run().state == "completed", (
        "the run was failing once, and nothing is live: but its target has completed"
    )


def test_a_run_that_ended_in_error_is_completed_by_whoever_hears_that_its_target_has() -> None:
    scene = a_run("a", a="error").after(5)
    lost, heard = scene.word("a", "completed"), scene.word("a", "completed")
    scene.crashes_as_soon_as(lost, lambda: scene.is_at("a") == "completed")
    assert scene.run().state == "error", (
        "it crashed before it healed the run, and nobody delivers it again"
    )
    scene.hears(heard)
    assert scene.run().state == "completed"
