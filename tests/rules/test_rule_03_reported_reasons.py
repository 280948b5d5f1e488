"""Rule 3: a reason that only cerebro gives is not taken from a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.limits import MAX_ERROR_MESSAGE_BYTES
from cordyna_core.contract.reasons import REASONS, is_reserved
from world.scenarios import a_run

OWN = ("ack_timeout", "start_timeout", "waiting", "blocked", "dispatched", "retry_wait", "reused")
REPORTED = ("failed", "run_timeout", "worker_died", "killed", "refused", "quota_exceeded")


@pytest.mark.parametrize("reason", [*OWN, "late"])
def test_reason_of_cerebro_from_a_server_is_failed(reason: str) -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="started")
    world.report("a", "error", reason=reason)
    assert world.state_of("a") == "pending retry_wait"
    fact = world.fact("a")
    assert fact.reason == "failed"
    assert fact.error is not None
    assert fact.error.message == (
        f"the server gave the reason `{reason}`, which only cerebro gives; it broke"
    )


def test_cancelled_of_a_server_is_a_failure_for_good() -> None:
    """Nothing cancelled the run, and what stopped its body is not known: it is not tried again."""
    world = a_run("a", declared={"a": {"retries": 1}}, a="started")
    world.report("a", "error", reason="cancelled")
    assert world.state_of("a") == "error failed_terminal"
    world.after(5).retry()
    assert world.sent == [("a", 1), ("a", 2)]


def test_cancelled_after_a_cancellation_changes_nothing() -> None:
    world = a_run("a", a="started")
    world.cancel()
    world.report("a", "error", reason="cancelled")
    assert world.state_of("a") == "error cancelled"
    assert world.fact("a").error is None


@pytest.mark.parametrize("reason", REPORTED)
def test_reason_of_a_server_is_kept(reason: str) -> None:
    world = a_run("a", a="started")
    world.report("a", "error", reason=reason)
    fact = world.fact("a")
    assert (fact.reason, fact.error and fact.error.message) == (reason, "it broke")


def test_reason_beside_an_error_not_retryable_is_terminal() -> None:
    world = a_run("a", a="started")
    error = ErrorDescription(type="Oops", message="it broke", retryable=False)
    world.report("a", "error", reason="ack_timeout", error=error)
    assert (world.fact("a").reason, world.fact("a").error) == ("failed_terminal", error)


def test_note_about_a_reason_fits_the_limit_of_an_error() -> None:
    world = a_run("a", a="started")
    long = ErrorDescription(type="Oops", message="x" * MAX_ERROR_MESSAGE_BYTES, traceback="t" * 9)
    world.report("a", "error", reason="ack_timeout", error=long)
    error = world.fact("a").error
    assert error is not None
    assert (len(error.message), error.traceback) == (MAX_ERROR_MESSAGE_BYTES, "t" * 9)


@given(
    reason=st.none() | st.text(max_size=64) | st.sampled_from([row.key for row in REASONS]),
    retryable=st.booleans(),
)
def test_stored_reason_of_a_server_is_never_one_of_cerebro(
    reason: str | None, *, retryable: bool
) -> None:
    world = a_run("a", a="started")
    error = ErrorDescription(type="Oops", message="it broke", retryable=retryable)
    world.report("a", "error", reason=reason, error=error)
    stored = world.fact("a").reason
    assert stored is not None
    assert not is_reserved(stored)
