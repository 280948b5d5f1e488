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


def test_context_names_run_task_attempt_and_nominal_time() -> None:
    def body(*, ctx: Context) -> list[object]:
        return [ctx.run_id, ctx.task, ctx.attempt, ctx.scheduled_at, ctx.cancelled]

    result, _ = run(a_server(task_1=body), a_command(attempt=3, scheduled_at=utc(NOW)))

    assert result is not None
    assert result.output == [RUN, "task-1", 3, "2026-09-21T14:13:20.123900Z", False]


def test_context_cancelled_while_running_becomes_true() -> None:
    asked = iter([False, False, True])

    def body(*, ctx: Context) -> list[bool]:
        return [ctx.cancelled, ctx.cancelled]

    result, _ = run(a_server(task_1=body), a_command(), cancelled=lambda: next(asked))

    assert result is not None
    assert result.output == [False, True]


def test_progress_repeated_has_one_id_each() -> None:
    def body(*, ctx: Context) -> None:
        ctx.progress(0.25, "reading")
        ctx.progress(2)
        ctx.progress(message="x" * 2000)

    result, published = run(a_server(task_1=body), a_command())

    assert states(published) == ["started"] * 4 + ["completed"]
    assert result is not None
    assert result.events == tuple(published)
    updates = [update for update in published if isinstance(update, TaskStateChanged)]
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


def test_progress_bus_fails_body_completes(
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


def test_context_log_records_carry_the_attempt(
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


def test_upstream_by_name_returns_output() -> None:
    result = downstream("a", "b").test_run(
        "task-1", upstream={"a": {"rows": 1}, "b": None}, wanted="a"
    )

    assert result.output == {"rows": 1}


def test_upstream_without_output_is_none() -> None:
    result = downstream("a").test_run("task-1", upstream={"a": None}, wanted="a")

    assert (result.state, result.output) == ("completed", None)


def test_upstream_omitted_raises_with_reason() -> None:
    result, _ = run(downstream("a"), a_command(params={"wanted": "a"}, upstream_omitted=["a"]))

    assert result is not None
    assert result.error is not None
    assert (result.reason, result.error.type) == ("failed_terminal", "MissingUpstream")
    assert (
        result.error.message
        == 'the output of "a" was too large to send with the others (128 KB in all): '
        "let it return a reference"
    )


def test_upstream_undeclared_lists_the_declared() -> None:
    result = downstream("a", "b").test_run("task-1", wanted="c")

    assert result.error is not None
    expected = (
        '"c" is not a direct upstream of "task-1" (declared: a, b): '
        'declare it, @server.task(upstream=["c"])'
    )
    assert result.error.message == expected


def test_upstream_not_sent_says_how_to_pass_it() -> None:
    result = downstream("a").test_run("task-1", wanted="a")

    assert result.error is not None
    assert result.error.message.startswith('no output of "a" was sent: in a test, pass server.test')


def test_upstream_complete_is_a_mapping() -> None:
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


def test_upstream_missing_is_a_key_error() -> None:
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


def test_invoke_publishes_a_command_and_returns_the_run() -> None:
    result, published = run(invoking("task-2", "task-2"), a_command())

    assert result is not None
    assert states(published) == ["started", "InvokeTask", "InvokeTask", "completed"]
    commands = [command for command in published if isinstance(command, InvokeTask)]
    assert [(command.task, command.params) for command in commands] == [
        ("task-2", {"day": "today"})
    ] * 2
    assert [
        run_id_of("task-2", command.key or "", "cordyna.server.task-server-a")
        for command in commands
    ] == result.output
    assert len(set(result.output)) == 2
    assert [command.meta and (command.meta.id, command.meta.cause) for command in commands] == [
        (command.key, "the-command") for command in commands
    ]


def test_invoke_same_attempt_again_asks_for_the_same_runs() -> None:
    server = invoking("task-2")
    outputs = [
        result.output
        for result, _ in (run(server, a_command(attempt=n)) for n in (1, 1, 2))
        if result is not None
    ]

    assert outputs[0] == outputs[1] != outputs[2]


def test_invoke_bad_name_or_params_is_refused() -> None:
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
