"""Why a task is not running, or is: one sentence for every reason, derived from the plan and the facts."""

from collections.abc import Callable

import pytest

from cerebro.core import views
from cerebro.handlers import queries
from cli.fake_engine import at
from cordyna_cli.render.run.why import why_task
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.ids import CLIENT
from mission.stage import Stage

ERROR = ErrorDescription(type="ValueError", message="no such file\nsecond line")


def silent() -> tuple[Stage, str]:
    """y needs x, whose server does not answer."""
    stage = Stage("a: x", "b: y<-x", silent=("x",), x={"retries": 1})
    return stage, stage.invoke("y")


def waiting() -> tuple[Stage, str, str]:
    return *silent(), "y"


def blocked() -> tuple[Stage, str, str]:
    stage, run = silent()
    return stage.after(60), run, "y"


def dispatched() -> tuple[Stage, str, str]:
    return *silent(), "x"


def retry_wait() -> tuple[Stage, str, str]:
    stage, run = silent()
    stage.say(run, "x", "error", reason="failed", error=ERROR)
    return stage, run, "x"


def failed() -> tuple[Stage, str, str]:
    stage, run = silent()
    stage.say(run, "x", "error", reason="failed", error=ERROR)
    stage.after(9).say(run, "x", "error", attempt=2, reason="failed", error=ERROR)
    return stage, run, "x"


def failed_terminal() -> tuple[Stage, str, str]:
    stage, run = silent()
    stage.say(run, "x", "error", error=ERROR.model_copy(update={"retryable": False}))
    return stage, run, "x"


def ack_timeout() -> tuple[Stage, str, str]:
    stage, run, _ = blocked()
    return stage, run, "x"


def start_timeout() -> tuple[Stage, str, str]:
    stage = Stage("a: x", silent=("x",))
    run = stage.invoke("x")
    stage.say(run, "x", "queued")
    return stage.after(700), run, "x"


def run_timeout() -> tuple[Stage, str, str]:
    stage = Stage("a: x", silent=("x",))
    run = stage.invoke("x")
    stage.say(run, "x", "started")
    return stage.after(2000), run, "x"


def cancelled() -> tuple[Stage, str, str]:
    stage, run = silent()
    stage.put(CancelRun(run_id=run), CLIENT)
    return stage, run, "x"


def refused() -> tuple[Stage, str, str]:
    stage, run = silent()
    stage.say(run, "x", "error", reason="refused", error=ERROR)
    return stage, run, "x"


def reused() -> tuple[Stage, str, str]:
    stage = Stage("a: x", "b: y<-x", y={"upstream": [{"task": "x", "within_s": 60}]})
    stage.invoke("y", key="1")
    return stage, stage.invoke("y", key="2"), "x"


def queued() -> tuple[Stage, str, str]:
    stage, run = silent()
    stage.say(run, "x", "queued")
    return stage, run, "x"


def started() -> tuple[Stage, str, str]:
    stage, run = silent()
    stage.say(run, "x", "started")
    return stage, run, "x"


def completed() -> tuple[Stage, str, str]:
    stage, run = silent()
    stage.say(run, "x", "completed")
    return stage, run, "x"


def error() -> tuple[Stage, str, str]:
    stage = Stage("a: x", silent=("x",))
    run = stage.invoke("x")
    stage.say(run, "x", "error", reason="out_of_coffee", error=ERROR)
    return stage, run, "x"


SAID = {
    waiting: "y on b waits for x.",
    blocked: "y on b is blocked: it needs x, which failed.",
    dispatched: "x on a was sent its command (attempt 1) and has not answered yet.",
    retry_wait: "x on a failed (attempt 1) and is tried again after a pause: ValueError: no such file.",
    failed: "x on a failed (attempt 2): ValueError: no such file.",
    failed_terminal: "x on a failed (attempt 1) in a way that trying again does not mend: ValueError: no such file.",
    ack_timeout: "x on a did not acknowledge the command (attempt 2) in time: its server is down, or does not hear it.",
    start_timeout: "x on a was queued (attempt 1) but not started in time: its server is too busy.",
    run_timeout: "x on a was started (attempt 1) but did not finish in time.",
    cancelled: "x on a was cancelled with its run.",
    refused: "x on a was refused by its server (attempt 1): ValueError: no such file.",
    reused: "x on a was not run: a result that is fresh enough was reused.",
    queued: "x on a has been taken by its server (attempt 1), which is busy with other tasks.",
    started: "x on a is running (attempt 1).",
    completed: "x on a completed (attempt 1).",
    error: "x on a failed (attempt 1), and its server says: out_of_coffee: ValueError: no such file.",
}


@pytest.mark.parametrize("scenario", SAID, ids=lambda scenario: scenario.__name__)
def test_every_reason_has_its_sentence_and_what_to_type_next(
    scenario: Callable[[], tuple[Stage, str, str]],
) -> None:
    stage, run, name = scenario()

    task = stage.task(run, name)

    assert (task.reason or task.state, task.why) in {
        (scenario.__name__, SAID[scenario]),
        ("out_of_coffee", SAID[error]),
    }
    assert why_task(stage.run(run), task, at(0)).next.startswith("dyna ")


def test_no_reason_is_left_without_a_scenario() -> None:
    assert {scenario.__name__ for scenario in SAID} == set(views._SENTENCES)


def test_what_heals_the_cause_heals_the_reason() -> None:
    stage, run, _ = blocked()
    stage.say(run, "x", "completed", attempt=2)

    assert stage.task(run, "y").why == "y on b completed (attempt 1)."


def test_what_is_tried_again_is_not_blocked_any_more() -> None:
    stage, run, _ = blocked()
    stage.put(RetryRun(run_id=run), CLIENT)

    assert stage.task(run, "y").why == "y on b waits for x."


def test_a_server_that_lets_a_command_go_unacknowledged_is_unresponsive_until_it_gives_a_sign_of_life() -> (
    None
):
    stage, run, _ = blocked()
    states = {each.server: each.state for each in queries.servers(stage.home.store)}
    assert states == {"a": "unresponsive", "b": "ready"}

    stage.say(run, "x", "completed", attempt=2)

    assert queries.servers(stage.home.store)[0].state == "ready"
