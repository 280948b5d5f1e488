"""Rule 3: retries are declared (default none); an error with attempts left waits; a terminal one is never tried again."""

from cerebro.core.run.transitions import back_off_s
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.state_updates import TaskStateChanged
from rules.scene import a_run


def test_by_default_nothing_is_tried_again() -> None:
    scene = a_run("a", a="error").after(3600)
    assert scene.sent == [("a", 1)]
    assert scene.run().state == "error"


def test_an_error_with_attempts_left_is_pending_until_its_back_off_ends() -> None:
    scene = a_run("a", declared={"a": {"retries": 1}}, a="error")
    assert scene.is_at("a") == "pending retry_wait"
    assert scene.after(4).sent == [("a", 1)]
    assert scene.after(3).sent == [("a", 1), ("a", 2)]


def test_the_back_off_doubles_and_its_jitter_is_a_hash() -> None:
    waits = [back_off_s(attempt, seed="x") for attempt in (1, 2, 3, 4)]
    assert waits == [back_off_s(attempt, seed="x") for attempt in (1, 2, 3, 4)]
    assert all(5 * 2**n <= wait <= 6.25 * 2**n for n, wait in enumerate(waits))
    assert back_off_s(1, seed="x") != back_off_s(1, seed="y")
    assert back_off_s(50, seed="x") <= 750


def test_retries_are_spent_one_by_one() -> None:
    scene = a_run("a", declared={"a": {"retries": 2}})
    for failed in range(3):
        scene.comes_to("a", "error")
        scene.after(7 * 2**failed)
    assert scene.sent == [("a", 1), ("a", 2), ("a", 3)]
    assert scene.is_at("a") == "error failed"


def test_a_clock_that_runs_out_spends_a_retry_too() -> None:
    scene = a_run("a", declared={"a": {"retries": 1}}).after(18)
    assert scene.sent == [("a", 1), ("a", 2)]
    assert scene.after(60).is_at("a") == "error ack_timeout"


def test_a_terminal_error_is_never_tried_again() -> None:
    scene = a_run("a", declared={"a": {"retries": 5}}, a="started")
    scene.says(
        "a", "error", error=ErrorDescription(type="Terminal", message="no use", retryable=False)
    )
    assert scene.is_at("a") == "error failed_terminal"
    assert scene.after(3600).sent == [("a", 1)]


def test_a_completion_while_it_waits_for_its_retry_heals_it_and_nothing_is_sent() -> None:
    scene = a_run("a  b<-a", declared={"a": {"retries": 1}}, a="error")
    scene.says("a", "completed")
    assert scene.after(60).sent == [("a", 1), ("b", 1)]


def test_waiting_for_a_retry_is_told() -> None:
    scene = a_run("a", declared={"a": {"retries": 1}}, a="error")
    told = [
        (message.state, message.reason)
        for message in scene.told
        if isinstance(message, TaskStateChanged)
    ]
    assert told == [("pending", "retry_wait")]
