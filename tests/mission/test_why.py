"""Why: one sentence for every reason, derived from the plan and the facts."""

from collections.abc import Callable

import pytest

from cerebro.handlers import queries
from cli.run_builders import at
from cordyna_cli.wording.why import why_task
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.reasons import REASONS
from world.scenarios import EngineWorld, an_engine

ERROR = ErrorDescription(type="ValueError", message="no such file\nsecond line")
DIED = ErrorDescription(type="WorkerDied", message="exit code 9")

Scenario = Callable[[], tuple[EngineWorld, str]]
"""A world, and the task in it whose reason is asked for."""


def unanswered() -> EngineWorld:
    """y needs x, whose server does not answer; x may be tried twice."""
    world = an_engine("a: x", "b: y<-x", silent=("x",), x={"retries": 1})
    world.invoke("y")
    return world


def unanswered_x_reports(*states: str, **fields: object) -> EngineWorld:
    """x alone, whose server reports `states` and no more."""
    world = an_engine("a: x", silent=("x",))
    world.invoke("x")
    for state in states:
        world.report("x", state, **fields)
    return world


def waiting() -> tuple[EngineWorld, str]:
    return unanswered(), "y"


def blocked() -> tuple[EngineWorld, str]:
    return unanswered().after(60), "y"


def dispatched() -> tuple[EngineWorld, str]:
    return unanswered(), "x"


def retry_wait() -> tuple[EngineWorld, str]:
    world = unanswered()
    world.report("x", "error", reason="failed", error=ERROR)
    return world, "x"


def failed() -> tuple[EngineWorld, str]:
    world, task = retry_wait()
    world.after(9).report(task, "error", reason="failed", error=ERROR)
    return world, task


def failed_terminal() -> tuple[EngineWorld, str]:
    world = unanswered()
    world.report("x", "error", error=ERROR.model_copy(update={"retryable": False}))
    return world, "x"


def ack_timeout() -> tuple[EngineWorld, str]:
    return unanswered().after(60), "x"


def start_timeout() -> tuple[EngineWorld, str]:
    return unanswered_x_reports("queued").after(700), "x"


def run_timeout() -> tuple[EngineWorld, str]:
    return unanswered_x_reports("started").after(2000), "x"


def cancelled() -> tuple[EngineWorld, str]:
    world = unanswered()
    world.publish(CancelRun(run_id=world.run_id), CLIENT)
    return world, "x"


def refused() -> tuple[EngineWorld, str]:
    world = unanswered()
    world.report("x", "error", reason="refused", error=ERROR)
    return world, "x"


def worker_died() -> tuple[EngineWorld, str]:
    world = unanswered_x_reports("started")
    world.report("x", "error", reason="worker_died", error=DIED)
    return world, "x"


def killed() -> tuple[EngineWorld, str]:
    world = unanswered_x_reports("started")
    world.report("x", "error", reason="killed", error=DIED)
    return world, "x"


def reused() -> tuple[EngineWorld, str]:
    world = an_engine("a: x", "b: y<-x", y={"upstream": [{"task": "x", "within_s": 60}]})
    world.invoke("y", key="1")
    world.run_id = world.invoke("y", key="2")
    return world, "x"


def queued() -> tuple[EngineWorld, str]:
    return unanswered_x_reports("queued"), "x"


def started() -> tuple[EngineWorld, str]:
    return unanswered_x_reports("started"), "x"


def completed() -> tuple[EngineWorld, str]:
    return unanswered_x_reports("completed"), "x"


def error() -> tuple[EngineWorld, str]:
    return unanswered_x_reports("error", reason="out_of_coffee", error=ERROR), "x"


SENTENCES = {
    waiting: "y on b waits for x.",
    blocked: "y on b is blocked: it needs x, which failed.",
    dispatched: "x on a was sent its command (attempt 1) and has not answered yet.",
    retry_wait: (
        "x on a failed (attempt 1) and is tried again after a pause: ValueError: no such file."
    ),
    failed: "x on a failed (attempt 2): ValueError: no such file.",
    failed_terminal: (
        "x on a failed (attempt 1) in a way that trying again does not fix: ValueError: "
        "no such file."
    ),
    ack_timeout: (
        "x on a did not acknowledge the command (attempt 2) within 10 s: its server is down, "
        "or does not receive it."
    ),
    start_timeout: (
        "x on a was queued (attempt 1) but not started within 10 min: its server is too busy."
    ),
    run_timeout: "x on a was started (attempt 1) but did not finish within 30 min.",
    cancelled: "x on a was cancelled with its run.",
    refused: "x on a was refused by its server (attempt 1): ValueError: no such file.",
    worker_died: "x on a was started (attempt 1), but its worker died: WorkerDied: exit code 9.",
    killed: (
        "x on a was started (attempt 1), but its container was stopped: WorkerDied: exit code 9."
    ),
    reused: "x on a was not run: a result that is fresh enough was reused.",
    queued: "x on a has been taken by its server (attempt 1), which is busy with other tasks.",
    started: "x on a is running (attempt 1).",
    completed: "x on a completed (attempt 1).",
    error: (
        "x on a failed (attempt 1), and its server says: out_of_coffee: ValueError: no such file."
    ),
}


@pytest.mark.parametrize("scenario", SENTENCES, ids=lambda scenario: scenario.__name__)
def test_every_reason_has_sentence_and_next_command(scenario: Scenario) -> None:
    world, name = scenario()

    task = world.task(name)

    assert (task.reason or task.state, task.why) in {
        (scenario.__name__, SENTENCES[scenario]),
        ("out_of_coffee", SENTENCES[error]),
    }
    assert why_task(world.run(), task, at(0)).next_step.command.startswith("dyna ")


def test_scenarios_cover_every_reason() -> None:
    assert {scenario.__name__ for scenario in SENTENCES} == {row.key for row in REASONS}


def test_heal_of_cause_changes_downstream_reason() -> None:
    world, _ = blocked()
    world.report("x", "completed", attempt=2)

    assert world.task("y").why == "y on b completed (attempt 1)."


def test_retry_of_cause_unblocks_downstream() -> None:
    world, _ = blocked()
    world.publish(RetryRun(run_id=world.run_id), CLIENT)

    assert world.task("y").why == "y on b waits for x."


def test_server_without_ack_is_unresponsive_until_it_reports() -> None:
    world, _ = blocked()
    states = {server.server: server.state for server in queries.servers(world.store)}
    assert states == {"a": "unresponsive", "b": "ready"}

    world.report("x", "completed", attempt=2)

    assert queries.servers(world.store)[0].state == "ready"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(2, "2 s"), (90, "90 s"), (60, "1 min"), (5400, "90 min"), (7200, "2 h")]
)
def test_timeout_names_the_clock_of_the_task(seconds: int, shown: str) -> None:
    world = an_engine("a: x", silent=("x",), x={"run_timeout_s": seconds})
    world.invoke("x")
    world.report("x", "started")
    world.after(seconds + 5)

    assert world.task("x").why.endswith(f"did not finish within {shown}.")
