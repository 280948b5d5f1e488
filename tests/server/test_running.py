"""Running: what a server says about a RunTask."""

import itertools
from collections.abc import Sequence

import pytest

from cordyna_core import TaskServer
from cordyna_core.contract.base import Message
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.errors import Fatal, RetryableError, TaskError, TerminalError
from cordyna_core.ports import Clock
from cordyna_core.testing import MemoryClaims, RecordingBus
from server.builders import NOW, RUN, a_command, a_server, run, states


class Ran:
    """A body that counts."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> int:
        self.times += 1
        return self.times


class BrokenBus:
    def publish(self, messages: Sequence[Message]) -> None:
        raise ConnectionError("no bus")


def a_clock(*times: float) -> Clock:
    return itertools.chain(times, itertools.repeat(times[-1])).__next__


def failing_with(error: BaseException) -> TaskServer:
    def body() -> None:
        raise error

    return a_server(task_1=body)


def test_run_returning_body_is_started_then_completed() -> None:
    result, published = run(a_server(task_1=lambda: {"rows": 3}), a_command())

    assert states(published) == ["started", "completed"]
    assert result is not None
    assert (result.state, result.reason, result.output, result.error) == (
        "completed",
        None,
        {"rows": 3},
        None,
    )
    assert result.events == tuple(published)


def test_run_updates_name_attempt_producer_and_cause() -> None:
    _, (started, completed) = run(a_server(task_1=lambda: None), a_command(attempt=2))

    for update, state in ((started, "started"), (completed, "completed")):
        assert isinstance(update, TaskStateChanged)
        assert (update.server, update.run_id, update.task, update.attempt) == (
            "task-server-a",
            RUN,
            "task-1",
            2,
        )
        assert update.meta is not None
        assert update.meta.id == derived_id("TaskStateChanged", RUN, "task-1", 2, state)
        assert update.meta.time == utc(1_790_000_000.123)
        assert update.meta.cause == "the-command"
        assert update.meta.traceparent == "00-trace-01"
        assert update.meta.producer is not None
        assert update.meta.producer.name == "cordyna-core"


def test_run_command_without_meta_is_answered() -> None:
    _, (started, _) = run(a_server(task_1=lambda: None), a_command(meta=None))

    assert started.meta is not None
    assert started.meta.cause is None


def test_run_same_command_again_has_the_same_ids() -> None:
    server = a_server(task_1=lambda: 1)

    assert run(server, a_command())[1] == run(server, a_command())[1]


def test_run_raising_body_is_retryable_error() -> None:
    result, published = run(failing_with(ValueError("no rows")), a_command())

    assert states(published) == ["started", "error"]
    assert result is not None
    assert result.reason == "failed"
    assert result.error is not None
    assert (result.error.type, result.error.message, result.error.retryable) == (
        "ValueError",
        "no rows",
        True,
    )
    assert isinstance(published[1], TaskStateChanged)
    assert (published[1].reason, published[1].error) == (result.reason, result.error)


def test_run_retryable_error_is_retryable() -> None:
    result, _ = run(failing_with(RetryableError("busy")), a_command())

    assert result is not None
    assert result.reason == "failed"


def test_run_terminal_error_is_not_retryable() -> None:
    result, _ = run(failing_with(TerminalError("no such customer")), a_command())

    assert result is not None
    assert result.reason == "failed_terminal"
    assert result.error is not None
    assert not result.error.retryable


def test_run_derived_error_keeps_its_retryability() -> None:
    class Hopeless(TaskError):
        retryable = False

    result, _ = run(failing_with(Hopeless("no such table")), a_command())

    assert result is not None
    assert result.reason == "failed_terminal"


def test_run_exiting_body_fails_and_server_continues() -> None:
    result, published = run(failing_with(SystemExit(3)), a_command())

    assert states(published) == ["started", "error"]
    assert result is not None
    assert result.error is not None
    assert (result.reason, result.error.type) == ("failed", "SystemExit")
    assert result.error.message.startswith("the body called sys.exit(3): ")


@pytest.mark.parametrize(
    ("code", "begin"),
    [(None, "the body called sys.exit(): "), (0, "the body called sys.exit(0): "), ("no", "no")],
)
def test_message_of_an_exit_says_what_was_called(code: object, begin: str) -> None:
    result, _ = run(failing_with(SystemExit(code)), a_command())

    assert result is not None
    assert result.error is not None
    assert result.error.message.startswith(begin)


def test_run_interrupted_publishes_no_end() -> None:
    published: list[Message] = []

    class Bus:
        def publish(self, messages: Sequence[Message]) -> None:
            published.extend(messages)

    with pytest.raises(KeyboardInterrupt):
        run(failing_with(KeyboardInterrupt()), a_command(), bus=Bus())
    assert states(published) == ["started"]


def test_run_after_ack_by_publishes_nothing() -> None:
    body = Ran()

    assert run(a_server(task_1=body), a_command(ack_by=utc(NOW - 0.01))) == (None, [])
    assert body.times == 0


def test_run_queued_after_ack_by_starts() -> None:
    result, _ = run(a_server(task_1=lambda: 1), a_command(ack_by=utc(NOW - 0.01)), queued=True)

    assert result is not None


@pytest.mark.parametrize("queued", [False, True])
def test_run_after_start_by_never_starts(queued: bool) -> None:  # noqa: FBT001
    body = Ran()
    late = a_command(ack_by=utc(NOW + 10), start_by=utc(NOW - 0.01))

    assert run(a_server(task_1=body), late, queued=queued) == (None, [])
    assert body.times == 0


@pytest.mark.parametrize(("queued", "ack_by"), [(False, NOW), (True, NOW - 10)])
def test_run_at_the_last_moment_starts(queued: bool, ack_by: float) -> None:  # noqa: FBT001
    command = a_command(ack_by=utc(ack_by), start_by=utc(NOW))
    result, _ = run(a_server(task_1=lambda: 1), command, queued=queued)

    assert result is not None


def test_run_stale_command_of_unknown_task_is_not_answered() -> None:
    assert run(a_server(), a_command(ack_by=utc(NOW - 1))) == (None, [])


def test_run_cancelled_before_is_not_started() -> None:
    body = Ran()

    assert run(a_server(task_1=body), a_command(), cancelled=lambda: True) == (None, [])
    assert body.times == 0


def test_run_with_claims_runs_once_per_attempt() -> None:
    body, claims = Ran(), MemoryClaims()
    server = a_server(task_1=body)

    first, _ = run(server, a_command(), claims=claims)
    again = run(server, a_command(), claims=claims)
    second, _ = run(server, a_command(attempt=2), claims=claims)

    assert again == (None, [])
    assert first is not None
    assert second is not None
    assert body.times == 2


def test_run_stale_after_claim_is_not_started() -> None:
    body = Ran()

    answer = run(
        a_server(task_1=body), a_command(), claims=MemoryClaims(), clock=a_clock(NOW, NOW + 11)
    )

    assert answer == (None, [])
    assert body.times == 0


def test_run_command_for_other_server_is_fatal() -> None:
    server, command = a_server(task_1=lambda: 1), a_command(server="task-server-b")

    with pytest.raises(
        Fatal, match='"task-server-a" received a RunTask for server "task-server-b"'
    ):
        run(server, command)
    with pytest.raises(
        Fatal, match='"task-server-a" received a RunTask for server "task-server-b"'
    ):
        server.queue(command, bus=RecordingBus(), clock=lambda: NOW)


def test_queue_then_run_late_completes() -> None:
    server, bus = a_server(task_1=lambda: 1), RecordingBus()

    assert server.queue(a_command(), bus=bus, clock=lambda: NOW)
    result, _ = run(server, a_command(), bus=bus, clock=lambda: NOW + 60, queued=True)

    assert states(bus.published) == ["queued", "started", "completed"]
    assert result is not None
    assert states(result.events) == ["started", "completed"]


def test_queue_stale_command_publishes_nothing() -> None:
    bus = RecordingBus()

    assert not a_server(task_1=lambda: 1).queue(a_command(), bus=bus, clock=lambda: NOW + 11)
    assert bus.published == []


def test_run_unknown_task_is_terminal() -> None:
    result, published = run(a_server(), a_command("gone"))

    assert states(published) == ["error"]
    assert result is not None
    assert result.error is not None
    assert (result.reason, result.error.type) == ("failed_terminal", "UnknownTask")
    assert result.error.message == 'server "task-server-a" (revision 7) has no task "gone"'


def test_run_bad_params_is_terminal_and_not_started() -> None:
    def body(day: int) -> None: ...

    result, published = run(a_server(task_1=body), a_command(params={"day": "monday", "night": 1}))

    assert states(published) == ["error"]
    assert result is not None
    assert result.error is not None
    assert (result.reason, result.error.type) == ("failed_terminal", "InvalidParams")
    assert result.error.message.startswith("day: Input should be a valid integer")
    assert "night: Extra inputs are not permitted" in result.error.message
    assert result.error.traceback is None


def test_run_bus_fails_raises() -> None:
    body = Ran()
    with pytest.raises(ConnectionError):
        run(a_server(task_1=body), a_command(), bus=BrokenBus())
    assert body.times == 0


def test_run_exiting_body_and_failing_bus_raises_bus_error() -> None:
    class FailsAtTheEnd:
        def __init__(self) -> None:
            self.calls = 0

        def publish(self, messages: Sequence[Message]) -> None:
            self.calls += 1
            if self.calls > 1:
                raise ConnectionError("no bus")

    with pytest.raises(ConnectionError):
        run(failing_with(SystemExit(1)), a_command(), bus=FailsAtTheEnd())


def test_run_that_was_reported_as_started_reports_its_end() -> None:
    result, published = run(a_server(task_1=lambda: 1), a_command(), started=True)

    assert states(published) == ["completed"]
    assert result is not None
    assert result.output == 1
