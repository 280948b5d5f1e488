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


def test_a_body_that_returns_is_started_then_completed_with_its_output() -> None:
    result, said = run(a_server(task_1=lambda: {"rows": 3}), a_command())

    assert states(said) == ["started", "completed"]
    assert result is not None
    assert (result.state, result.reason, result.output, result.error) == (
        "completed",
        None,
        {"rows": 3},
        None,
    )
    assert result.events == tuple(said)


def test_what_is_said_names_the_attempt_and_where_it_comes_from() -> None:
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


def test_a_command_without_meta_is_answered_too() -> None:
    _, (started, _) = run(a_server(task_1=lambda: None), a_command(meta=None))

    assert started.meta is not None
    assert started.meta.cause is None


def test_running_the_same_command_again_says_the_same_under_the_same_ids() -> None:
    server = a_server(task_1=lambda: 1)

    assert run(server, a_command())[1] == run(server, a_command())[1]


def test_a_body_that_raises_ends_in_error_and_may_be_retried() -> None:
    result, said = run(failing_with(ValueError("no rows")), a_command())

    assert states(said) == ["started", "error"]
    assert result is not None
    assert result.reason == "failed"
    assert result.error is not None
    assert (result.error.type, result.error.message, result.error.retryable) == (
        "ValueError",
        "no rows",
        True,
    )
    assert isinstance(said[1], TaskStateChanged)
    assert (said[1].reason, said[1].error) == (result.reason, result.error)


def test_a_body_that_raises_a_retryable_error_may_be_retried() -> None:
    result, _ = run(failing_with(RetryableError("busy")), a_command())

    assert result is not None
    assert result.reason == "failed"


def test_a_body_that_raises_a_terminal_error_is_never_retried() -> None:
    result, _ = run(failing_with(TerminalError("no such customer")), a_command())

    assert result is not None
    assert result.reason == "failed_terminal"
    assert result.error is not None
    assert not result.error.retryable


def test_a_team_may_have_errors_of_its_own_that_say_whether_to_try_again() -> None:
    class Hopeless(TaskError):
        retryable = False

    result, _ = run(failing_with(Hopeless("no such table")), a_command())

    assert result is not None
    assert result.reason == "failed_terminal"


def test_a_body_that_exits_fails_and_its_server_goes_on() -> None:
    result, said = run(failing_with(SystemExit(3)), a_command())

    assert states(said) == ["started", "error"]
    assert result is not None
    assert result.error is not None
    assert (result.reason, result.error.type, result.error.message) == ("failed", "SystemExit", "3")


def test_an_interrupt_is_the_operators_and_nothing_more_is_said() -> None:
    said: list[Message] = []

    class Bus:
        def publish(self, messages: Sequence[Message]) -> None:
            said.extend(messages)

    with pytest.raises(KeyboardInterrupt):
        run(failing_with(KeyboardInterrupt()), a_command(), bus=Bus())
    assert states(said) == ["started"]


def test_after_its_acknowledgement_is_due_a_body_is_not_started_and_nothing_is_said() -> None:
    body = Ran()

    assert run(a_server(task_1=body), a_command(ack_by=utc(NOW - 0.01))) == (None, [])
    assert body.times == 0


def test_a_command_that_was_queued_may_start_after_its_acknowledgement_was_due() -> None:
    result, _ = run(a_server(task_1=lambda: 1), a_command(ack_by=utc(NOW - 0.01)), queued=True)

    assert result is not None


@pytest.mark.parametrize("queued", [False, True])
def test_after_its_start_is_due_a_body_is_never_started(queued: bool) -> None:
    body = Ran()
    late = a_command(ack_by=utc(NOW + 10), start_by=utc(NOW - 0.01))

    assert run(a_server(task_1=body), late, queued=queued) == (None, [])
    assert body.times == 0


def test_an_unknown_task_whose_command_is_stale_is_not_answered() -> None:
    assert run(a_server(), a_command(ack_by=utc(NOW - 1))) == (None, [])


def test_what_was_cancelled_is_not_started() -> None:
    body = Ran()

    assert run(a_server(task_1=body), a_command(), cancelled=lambda: True) == (None, [])
    assert body.times == 0


def test_with_claims_a_body_runs_once_per_attempt() -> None:
    body, claims = Ran(), MemoryClaims()
    server = a_server(task_1=body)

    first, _ = run(server, a_command(), claims=claims)
    again = run(server, a_command(), claims=claims)
    second, _ = run(server, a_command(attempt=2), claims=claims)

    assert again == (None, [])
    assert first is not None
    assert second is not None
    assert body.times == 2


def test_a_command_that_grew_stale_while_it_was_claimed_is_not_started() -> None:
    body = Ran()

    answer = run(
        a_server(task_1=body), a_command(), claims=MemoryClaims(), clock=a_clock(NOW, NOW + 11)
    )

    assert answer == (None, [])
    assert body.times == 0


def test_a_command_for_another_server_is_fatal() -> None:
    server, command = a_server(task_1=lambda: 1), a_command(server="task-server-b")

    with pytest.raises(Fatal, match='"task-server-b" came to "task-server-a"'):
        run(server, command)
    with pytest.raises(Fatal, match='"task-server-b" came to "task-server-a"'):
        server.queue(command, bus=RecordingBus(), clock=lambda: NOW)


def test_a_server_that_is_busy_says_queued_and_may_take_its_time() -> None:
    server, bus = a_server(task_1=lambda: 1), RecordingBus()

    assert server.queue(a_command(), bus=bus, clock=lambda: NOW)
    result, _ = run(server, a_command(), bus=bus, clock=lambda: NOW + 60, queued=True)

    assert states(bus.published) == ["queued", "started", "completed"]
    assert result is not None
    assert states(result.events) == ["started", "completed"]


def test_a_stale_command_is_not_queued() -> None:
    bus = RecordingBus()

    assert not a_server(task_1=lambda: 1).queue(a_command(), bus=bus, clock=lambda: NOW + 11)
    assert bus.published == []


def test_an_unknown_task_is_an_error_that_no_retry_mends() -> None:
    result, said = run(a_server(), a_command("gone"))

    assert states(said) == ["error"]
    assert result is not None
    assert result.error is not None
    assert (result.reason, result.error.type) == ("failed_terminal", "UnknownTask")
    assert result.error.message == 'server "task-server-a" (revision 7) has no task "gone"'


def test_bad_params_are_an_error_that_no_retry_mends_and_the_body_is_not_started() -> None:
    def body(day: int) -> None: ...

    result, said = run(a_server(task_1=body), a_command(params={"day": "monday", "night": 1}))

    assert states(said) == ["error"]
    assert result is not None
    assert result.error is not None
    assert (result.reason, result.error.type) == ("failed_terminal", "InvalidParams")
    assert result.error.message.startswith("day: Input should be a valid integer")
    assert "night: Extra inputs are not permitted" in result.error.message
    assert result.error.traceback is None


def test_when_the_bus_fails_the_command_is_not_answered() -> None:
    body = Ran()
    with pytest.raises(ConnectionError):
        run(a_server(task_1=body), a_command(), bus=BrokenBus())
    assert body.times == 0


def test_a_bodys_own_system_exit_does_not_hide_that_the_bus_failed() -> None:
    class FailsAtTheEnd:
        def __init__(self) -> None:
            self.calls = 0

        def publish(self, messages: Sequence[Message]) -> None:
            self.calls += 1
            if self.calls > 1:
                raise ConnectionError("no bus")

    with pytest.raises(ConnectionError):
        run(failing_with(SystemExit(1)), a_command(), bus=FailsAtTheEnd())
