"""test_run: what a test says of the attempt that it runs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cordyna_core import Context, TaskServer, UserError
from cordyna_core.contract.ids import derived_id

TICK = datetime(2026, 11, 30, 6, tzinfo=UTC)


def a_server() -> TaskServer:
    server = TaskServer("a")

    @server.task
    def load(day: str = "today", *, ctx: Context) -> list[Any]:
        return [day, ctx.attempt, ctx.scheduled_at, ctx.cancelled, ctx.run_id]

    return server


def test_attempt_is_the_first_of_a_run_by_default() -> None:
    run_id = derived_id("test_run", "load")
    assert a_server().test_run("load").output == ["today", 1, None, False, run_id]


def test_result_prints_on_one_short_line() -> None:
    server = TaskServer("a")
    server.task(name="load")(lambda: 3)
    shown = "TaskResult(state='completed', reason=None, output=3, error=None)"
    assert repr(server.test_run("load")) == shown


def test_body_reads_attempt_tick_cancellation_and_run() -> None:
    run_id = derived_id("some run")
    result = a_server().test_run(
        "load", day="monday", attempt=3, scheduled_at=TICK, cancelled=True, run_id=run_id
    )
    assert result.output == ["monday", 3, "2026-11-30T06:00:00Z", True, run_id]


def test_cancellation_may_come_while_the_body_runs() -> None:
    server, seen = TaskServer("a"), []

    @server.task
    def load(*, ctx: Context) -> int:
        while not ctx.cancelled:
            seen.append(1)
        return len(seen)

    answers = iter([False, False, True])
    assert server.test_run("load", cancelled=lambda: next(answers)).output == 2


@pytest.mark.parametrize("cancelled", [True, lambda: True])
def test_cancelled_async_body_is_interrupted(cancelled: Any) -> None:
    server = TaskServer("a")

    @server.task
    async def load() -> None:
        import asyncio  # noqa: PLC0415  as in the body of a team

        await asyncio.sleep(3600)

    result = server.test_run("load", cancelled=cancelled)
    assert (result.state, result.reason) == ("error", "cancelled")


def test_async_body_that_is_not_cancelled_ends() -> None:
    server = TaskServer("a")

    @server.task
    async def load() -> str:
        return "done"

    assert server.test_run("load", cancelled=lambda: False).output == "done"


def test_parameter_of_the_same_name_is_the_parameter() -> None:
    server = TaskServer("a")

    @server.task
    def load(attempt: str, cancelled: bool, *, ctx: Context) -> list[Any]:  # noqa: FBT001
        return [attempt, cancelled, ctx.attempt, ctx.cancelled]

    assert server.test_run("load", attempt="x", cancelled=True).output == ["x", True, 1, False]


@pytest.mark.parametrize(
    ("options", "why", "next_step"),
    [
        ({"attempt": 0}, "attempt: ", "give a whole number from 1 up"),
        ({"scheduled_at": "soon"}, "scheduled_at: ", "give a datetime with its time zone"),
        ({"run_id": "short"}, "run_id: ", "leave it out"),
        ({"cancelled": 5}, "", "give True, or a function"),
    ],
)
def test_attempt_that_cannot_be_is_refused(
    options: dict[str, Any], why: str, next_step: str
) -> None:
    with pytest.raises(UserError) as refused:
        a_server().test_run("load", **options)
    assert why in refused.value.why
    assert next_step in refused.value.next
