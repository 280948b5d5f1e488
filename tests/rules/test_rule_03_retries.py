"""Rule 3: declared retries, back-off and terminal errors (docs/rules.md, rule 3)."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.model.plan import PlannedTask
from cerebro.core.run.clocks import back_off_s
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.limits import MAX_ATTEMPT, MAX_RETRY_BACKOFF, MAX_RETRY_DELAY_S
from cordyna_core.contract.state_updates import TaskStateChanged
from world.scenarios import a_run


def test_error_without_declared_retries_is_final() -> None:
    world = a_run("a", a="error").after(3600)
    assert world.sent == [("a", 1)]
    assert world.run().state == "error"


def test_error_with_attempts_left_waits_for_back_off() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="error")
    assert world.state_of("a") == "pending retry_wait"
    assert world.after(4).sent == [("a", 1)]
    assert world.after(3).sent == [("a", 1), ("a", 2)]


def waits(*attempts: int, run_id: str = "r", **policy: Any) -> list[float]:
    """The pauses after these attempts of a task with a retry policy."""
    task = PlannedTask(name="a", server="s", **policy)
    return [back_off_s(task, attempt, run_id=run_id) for attempt in attempts]


def test_back_off_doubles_with_deterministic_jitter() -> None:
    first = waits(1, 2, 3, 4)
    assert first == waits(1, 2, 3, 4)
    assert all(5 * 2**n <= wait <= 6.25 * 2**n for n, wait in enumerate(first))
    assert waits(1) != waits(1, run_id="other")
    assert waits(50)[0] <= 750


def test_back_off_follows_the_declared_policy() -> None:
    policy: dict[str, Any] = {"retry_delay_s": 30, "retry_backoff": 3.0, "retry_max_delay_s": 200}
    assert waits(1, 2, 3, retry_jitter=False, **policy) == [30, 90, 200]
    assert all(30 <= wait <= 37.5 for wait in waits(1, **policy))


@given(
    attempt=st.integers(1, MAX_ATTEMPT),
    delay=st.integers(1, MAX_RETRY_DELAY_S),
    backoff=st.floats(1, MAX_RETRY_BACKOFF),
    longer=st.integers(0, MAX_RETRY_DELAY_S),
)
def test_back_off_of_any_attempt_is_within_its_bounds(
    attempt: int, delay: int, backoff: float, longer: int
) -> None:
    most = min(delay + longer, MAX_RETRY_DELAY_S)
    pauses: dict[str, Any] = {"retry_delay_s": delay, "retry_max_delay_s": most}
    (wait,) = waits(attempt, retry_backoff=backoff, **pauses)
    assert delay <= wait <= most * 1.25


def test_declared_delay_decides_when_the_next_attempt_is_sent() -> None:
    policy = {"retries": 1, "retry_delay_s": 60, "retry_jitter": False}
    world = a_run("a", declared={"a": policy}, a="error")
    assert world.after(59).sent == [("a", 1)]
    assert world.after(4).sent == [("a", 1), ("a", 2)]


def test_redeclared_policy_changes_no_run_in_flight() -> None:
    world = a_run("a", declared={"a": {"retries": 1, "retry_delay_s": 60}}, a="error")
    world.declare("s", "a", a={"retries": 1})
    assert world.after(20).sent == [("a", 1)]


def test_retries_are_spent_one_by_one() -> None:
    world = a_run("a", declared={"a": {"retries": 2}})
    for failed in range(3):
        world.reach("a", "error")
        world.after(7 * 2**failed)
    assert world.sent == [("a", 1), ("a", 2), ("a", 3)]
    assert world.state_of("a") == "error failed"


def test_expired_clock_spends_a_retry() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}).after(18)
    assert world.sent == [("a", 1), ("a", 2)]
    assert world.after(60).state_of("a") == "error ack_timeout"


def test_terminal_error_is_never_retried() -> None:
    world = a_run("a", declared={"a": {"retries": 5}}, a="started")
    world.report(
        "a", "error", error=ErrorDescription(type="Terminal", message="no use", retryable=False)
    )
    assert world.state_of("a") == "error failed_terminal"
    assert world.after(3600).sent == [("a", 1)]


def test_completion_during_back_off_heals_without_retry() -> None:
    world = a_run("a  b<-a", declared={"a": {"retries": 1}}, a="error")
    world.report("a", "completed")
    assert world.after(60).sent == [("a", 1), ("b", 1)]


def test_retry_wait_is_published() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="error")
    published = [
        (message.state, message.reason)
        for message in world.published
        if isinstance(message, TaskStateChanged)
    ]
    assert published == [("pending", "retry_wait")]


def test_retry_sends_cancel_task_for_the_attempt_before() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="error")
    world.after(10)
    assert (world.sent[-1], world.cancelled) == (("a", 2), [("a", 1)])


def test_queued_attempt_is_waited_for_until_start_by() -> None:
    world = a_run("a", declared={"a": {"retries": 1}})
    world.report("a", "queued")
    start_by = world.commands[0].start_by.timestamp()
    assert world.fact("a").deadline == start_by


def test_attempt_queued_late_gets_its_whole_start_clock() -> None:
    world = a_run("a").after(30)
    assert world.state_of("a") == "error ack_timeout"
    world.report("a", "queued", attempt=1)
    assert world.fact("a").deadline == world.now + 600


def test_update_that_changes_nothing_publishes_no_retry_wait() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="error")
    before = len(world.published)
    world.report("a", "started")
    assert world.published[before:] == []


def test_each_wait_for_a_retry_is_a_message_of_its_own() -> None:
    """A reader that drops what it knows by its id must not miss the second wait."""
    world = a_run("a", declared={"a": {"retries": 1}}).after(10)
    world.report("a", "error", attempt=1)
    waits = {
        message.meta.id
        for message in world.published
        if isinstance(message, TaskStateChanged) and message.meta and message.reason == "retry_wait"
    }
    assert len(waits) == 2


def test_message_that_is_published_again_is_the_same() -> None:
    """Its id names its content: an expiry is repeated with the next one of its attempt."""
    world = a_run("a", declared={"a": {"retries": 1}}).after(10)
    world.report("a", "started", attempt=1)
    world.after(1800)
    content: dict[str | None, set[str]] = {}
    for message in world.published:
        if isinstance(message, TaskStateChanged) and message.meta:
            same = message.model_copy(
                update={"meta": message.meta.model_copy(update={"cause": ""})}
            )
            content.setdefault(message.meta.id, set()).add(same.model_dump_json())
    reasons = {text.count("acknowledge") for texts in content.values() for text in texts}
    assert reasons == {0, 1}
    assert [len(texts) for texts in content.values()] == [1] * len(content)
