"""Context: what a body can ask and say while it runs."""

import logging
from collections.abc import Sequence

import pytest

from cordyna_core import Context, TaskServer
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.testing import RecordingBus
from server.builders import NOW, RUN, a_command, a_server, run, states


def downstream(*upstream: str) -> TaskServer:
    """A server whose task-1 returns what it was sent by `wanted`."""
    server = TaskServer("task-server-a")

    @server.task(upstream=upstream)
    def task_1(wanted: str, *, ctx: Context) -> object:
        return ctx.upstream[wanted]

    return server


def test_a_body_knows_its_run_its_task_its_attempt_and_its_nominal_time() -> None:
    def body(*, ctx: Context) -> list[object]:
        return [ctx.run_id, ctx.task, ctx.attempt, ctx.scheduled_at, ctx.cancelled]

    result, _ = run(a_server(task_1=body), a_command(attempt=3, scheduled_at=utc(NOW)))

    assert result is not None
    assert result.output == [RUN, "task-1", 3, "2026-09-21T14:13:20.123900Z", False]


def test_a_body_hears_that_it_was_cancelled_while_it_ran() -> None:
    asked = iter([False, False, True])

    def body(*, ctx: Context) -> list[bool]:
        return [ctx.cancelled, ctx.cancelled]

    result, _ = run(a_server(task_1=body), a_command(), cancelled=lambda: next(asked))

    assert result is not None
    assert result.output == [False, True]


def test_progress_is_said_between_started_and_completed_each_under_its_own_id() -> None:
    def body(*, ctx: Context) -> None:
        ctx.progress(0.25, "reading")
        ctx.progress(2)
        ctx.progress(message="x" * 2000)

    result, said = run(a_server(task_1=body), a_command())

    assert states(said) == ["started"] * 4 + ["completed"]
    assert result is not None
    assert result.events == tuple(said)
    updates = [update for update in said if isinstance(update, TaskStateChanged)]
    assert [update.progress for update in updates] == [None, 0.25, 1.0, None, None]
    assert [update.message and update.message[:9] for update in updates] == [
        None,
        "reading",
        None,
        "xxxxxxxxx",
        None,
    ]
    assert len(updates[3].message or "") == 1024
    assert len({update.meta.id for update in updates if update.meta}) == 5


def test_a_bus_that_fails_does_not_fail_the_body_through_its_progress(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class OnlyStates(RecordingBus):
        def publish(self, messages: Sequence[Message]) -> None:
            if any(
                isinstance(message, TaskStateChanged) and message.progress is not None
                for message in messages
            ):
                raise ConnectionError("no bus")
            super().publish(messages)

    result, _ = run(
        a_server(task_1=lambda *, ctx: ctx.progress(0.5)), a_command(), bus=OnlyStates()
    )

    assert result is not None
    assert result.state == "completed"
    assert states(result.events) == ["started", "completed"]
    assert caplog.messages == [f"progress of task-1, attempt 1 of run {RUN}, was not published"]


def test_what_a_body_logs_carries_its_run_its_task_and_its_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def body(*, ctx: Context) -> None:
        ctx.log.info("read %d rows", 3, extra={"table": "orders"})

    with caplog.at_level(logging.INFO, "cordyna.task"):
        run(a_server(task_1=body), a_command(attempt=2))

    (record,) = caplog.records
    assert record.getMessage() == "read 3 rows"
    assert [getattr(record, name) for name in ("run_id", "task", "attempt", "table")] == [
        RUN,
        "task-1",
        2,
        "orders",
    ]


def test_an_upstreams_output_is_found_by_its_name() -> None:
    result = downstream("a", "b").test_run(
        "task-1", upstream={"a": {"rows": 1}, "b": None}, wanted="a"
    )

    assert result.output == {"rows": 1}


def test_an_upstream_that_returned_nothing_is_none() -> None:
    result = downstream("a").test_run("task-1", upstream={"a": None}, wanted="a")

    assert (result.state, result.output) == ("completed", None)


def test_an_upstream_whose_output_was_omitted_says_so() -> None:
    result, _ = run(downstream("a"), a_command(params={"wanted": "a"}, upstream_omitted=["a"]))

    assert result is not None
    assert result.error is not None
    assert (result.reason, result.error.type) == ("failed_terminal", "MissingUpstream")
    assert (
        result.error.message
        == 'the output of "a" was too large to send with the others (128 KB in all): let it return a reference'
    )


def test_an_upstream_that_was_not_declared_says_which_were() -> None:
    result = downstream("a", "b").test_run("task-1", wanted="c")

    assert result.error is not None
    expected = '"c" is not a direct upstream of "task-1" (declared: a, b): declare it, @server.task(upstream=["c"])'
    assert result.error.message == expected


def test_an_upstream_that_a_test_did_not_give_says_how_to_give_it() -> None:
    result = downstream("a").test_run("task-1", wanted="a")

    assert result.error is not None
    assert (
        result.error.message
        == 'no output of "a" was given: pass it, server.test_run("task-1", upstream={"a": ...})'
    )


def test_the_upstreams_are_a_mapping() -> None:
    def body(*, ctx: Context) -> list[object]:
        return [
            list(ctx.upstream),
            len(ctx.upstream),
            "b" in ctx.upstream,
            ctx.upstream.get("b", 0),
            repr(ctx.upstream),
        ]

    result = a_server(task_1=body).test_run("task-1", upstream={"a": 1})

    assert result.output == [["a"], 1, False, 0, "UpstreamOutputs({'a': 1}, omitted=[])"]


def test_a_missing_upstream_is_a_key_error() -> None:
    def body(*, ctx: Context) -> str:
        try:
            return str(ctx.upstream["a"])
        except KeyError as missing:
            return str(missing)

    assert "not a direct upstream" in a_server(task_1=body).test_run("task-1").output


def invoking(*tasks: str) -> TaskServer:
    def body(*, ctx: Context) -> list[str]:
        return [ctx.invoke(task, day="today") for task in tasks]

    return a_server(task_1=body)


def test_a_body_can_ask_for_runs_of_their_own() -> None:
    result, said = run(invoking("task-2", "task-2"), a_command())

    assert result is not None
    assert states(said) == ["started", "InvokeTask", "InvokeTask", "completed"]
    commands = [command for command in said if isinstance(command, InvokeTask)]
    assert [(command.task, command.params) for command in commands] == [
        ("task-2", {"day": "today"})
    ] * 2
    assert [run_id_of("task-2", command.key or "") for command in commands] == result.output
    assert len(set(result.output)) == 2
    assert [command.meta and (command.meta.id, command.meta.cause) for command in commands] == [
        (command.key, "the-command") for command in commands
    ]


def test_a_second_execution_of_an_attempt_asks_for_the_same_runs_and_another_attempt_for_others() -> (
    None
):
    server = invoking("task-2")
    outputs = [
        result.output
        for result, _ in (run(server, a_command(attempt=n)) for n in (1, 1, 2))
        if result is not None
    ]

    assert outputs[0] == outputs[1] != outputs[2]


def test_what_cannot_be_invoked_is_refused_at_once() -> None:
    def body(*, ctx: Context) -> None:
        ctx.invoke("task-2", handle=float("nan"))

    refused = a_server(task_1=body).test_run("task-1").error
    misnamed, _ = run(invoking("a b"), a_command())

    assert refused is not None
    assert refused.type == "UserError"
    assert "cannot be invoked with these params" in refused.message
    assert misnamed is not None
    assert misnamed.error is not None
    assert "'a b' cannot be the name of a task" in misnamed.error.message
