"""Progress: what running tasks report of themselves, in do, watch and show."""

from collections.abc import Sequence
from io import StringIO
from typing import Any, ClassVar

from hypothesis import given
from hypothesis import strategies as st

from cli.fake_engine import FakeEngine
from cli.run_builders import RUN, a_run, a_task
from cli.run_dyna import dyna, without_escapes
from cli.sample_messages import sealed
from cordyna_cli.attempt_errors import AttemptErrors
from cordyna_cli.live_progress import ProgressLines
from cordyna_cli.output.screen import Screen
from cordyna_cli.task_progress import TaskProgress
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.views.runs import PassedEvent, RunView
from cordyna_core.errors import ServiceError


def report(seq: int, task: str = "x", attempt: int = 1, **more: Any) -> PassedEvent:
    fields = {"server": "s", "run_id": RUN, "task": task, "attempt": attempt, "state": "started"}
    message = TaskStateChanged.model_validate({**fields, **more})
    return PassedEvent(seq=seq, text=sealed("cordyna.server.s", message, seq))


def running(attempt: int = 1) -> RunView:
    return a_run(a_task("x", "", f"dispatched/{attempt}@1 started/{attempt}@2"))


def notes(view: RunView) -> list[tuple[float | None, str | None]]:
    return [(task.progress, task.message) for task in view.tasks]


def test_progress_is_that_of_the_last_report() -> None:
    engine = FakeEngine(passed=[report(1, progress=0.2), report(2, progress=0.5, message="half")])

    assert notes(TaskProgress(RUN).added_to(running(), engine)) == [(0.5, "half")]


def test_progress_keeps_what_a_later_report_leaves_out() -> None:
    engine = FakeEngine(passed=[report(1, progress=0.2, message="a"), report(2, message="b")])

    assert notes(TaskProgress(RUN).added_to(running(), engine)) == [(0.2, "b")]


def test_progress_reads_only_later_events_the_second_time() -> None:
    engine, progress = FakeEngine(passed=[report(1, progress=0.2)]), TaskProgress(RUN)
    progress.added_to(running(), engine)
    engine.passed = [report(2, progress=0.3)]

    assert notes(progress.added_to(running(), engine)) == [(0.3, None)]


def test_progress_of_an_earlier_attempt_is_not_shown() -> None:
    engine = FakeEngine(passed=[report(1, progress=0.9)])

    assert notes(TaskProgress(RUN).added_to(running(attempt=2), engine)) == [(None, None)]


def test_progress_is_not_read_where_events_are_late() -> None:
    engine = FakeEngine(passed=[report(1, progress=0.9)], has_live_events=False)

    assert notes(TaskProgress(RUN).added_to(running(), engine)) == [(None, None)]


def test_progress_ignores_events_that_cannot_be_read() -> None:
    engine = FakeEngine(passed=[PassedEvent(seq=1, text=f'{{"progress": "{RUN}"')])

    assert notes(TaskProgress(RUN).added_to(running(), engine)) == [(None, None)]


def test_show_of_running_task_has_its_progress() -> None:
    engine = FakeEngine(views=[running()], passed=[report(1, progress=0.45, message="day\n1")])

    assert "45% day 1" in dyna("show", engine=engine).out


def test_do_on_terminal_has_the_progress_in_its_tree() -> None:
    final = a_run(a_task("x", "", "dispatched@1 started@2 completed@3"), state="completed")
    engine = FakeEngine(views=[running(), final], passed=[report(1, progress=0.45)])

    assert "45%" in without_escapes(dyna("do", "x", engine=engine, terminal=True).err)


@given(share=st.floats(0, 1), message=st.text(max_size=80))
def test_progress_of_any_text_stays_on_its_line(share: float, message: str) -> None:
    message = message.encode("utf-8", "replace").decode()
    engine = FakeEngine(views=[running()], passed=[report(1, progress=share, message=message)])

    lines = dyna("show", engine=engine).out.splitlines()

    assert lines[1].startswith("● x  server-a  started")
    assert lines[2] == ""


def test_lines_are_the_same_where_unchanged_tasks_are_kept() -> None:
    steps = ["dispatched/1@1", "dispatched/1@1 started/1@2", "dispatched/1@1 started/1@2 error/1@3"]
    kept = a_task("y", "", "dispatched/1@1")
    shared = [a_run(kept, a_task("x", "", step)) for step in steps for _ in range(2)]
    copies = [view.model_copy(deep=True) for view in shared]

    lines = lines_of(shared)
    assert lines == lines_of(copies)
    assert [line.split(" ", 1)[1] for line in lines[1:]] == [
        "y on server-a: pending dispatched",
        "x on server-a: pending dispatched",
        "x on server-a: started",
        "x on server-a: error",
    ]


def failure(seq: int, attempt: int, text: str) -> PassedEvent:
    error = {"type": "RetryableError", "message": text}
    return report(seq, attempt=attempt, state="error", reason="failed", error=error)


def test_lines_of_an_ended_run_are_those_of_a_live_one() -> None:
    """Each failed attempt has its error, even where the run has only the last one."""
    states = "started@0 error:failed@1 started/2@2 error:failed/2@3 started/3@4 completed/3@5"
    failed = ErrorDescription(type="RetryableError", message="one")
    first = a_run(a_task("x", "", "started@0 error:failed@1", error=failed))
    ended = a_run(a_task("x", "", states), state="completed")
    passed = [failure(1, 1, "one"), PassedEvent(seq=2, text='{"error"'), failure(3, 2, "two")]

    lines = lines_of([ended], passed)

    assert lines_of([first, ended], passed) == lines
    assert [line.rpartition(" on server-a: ")[2] for line in lines[1:]] == [
        "started",
        "error failed: RetryableError: one",
        "started (attempt 2)",
        "error failed (attempt 2): RetryableError: two",
        "started (attempt 3)",
        "completed (attempt 3)",
    ]
    assert lines_of([ended], passed, LateEvents) == lines


def test_each_attempt_of_a_failed_run_has_its_own_error() -> None:
    """The run has the error of the last one, which is not that of the first."""
    states = "started@0 error:failed@1 started/2@2 error:failed/2@3"
    last = ErrorDescription(type="RetryableError", message="two")
    failed = a_run(a_task("x", "", states, error=last), state="error")

    lines = lines_of([failed], [failure(1, 1, "one"), failure(2, 2, "two")])

    assert lines[2].endswith("error failed: RetryableError: one")
    assert lines[4].endswith("error failed (attempt 2): RetryableError: two")


def test_errors_are_read_only_of_events_that_are_new() -> None:
    states = "started@0 error:failed@1 started/2@2"
    first = a_run(a_task("x", "", states))
    second = a_run(a_task("x", "", f"{states} error:failed/2@3 started/3@4"))
    NotedEvents.read_after = []

    lines = lines_of([first, second], [failure(7, 1, "one")], NotedEvents)

    assert lines[2].endswith("error failed: RetryableError: one")
    assert NotedEvents.read_after == [0, 7]


def test_lines_of_a_live_run_do_not_read_late_events() -> None:
    states = "started@0 error:failed@1 started/2@2"
    live = a_run(a_task("x", "", states))

    assert lines_of([live], [failure(1, 1, "one")], LateEvents)[2].endswith("error failed")


def test_missing_late_events_are_asked_for_once() -> None:
    states = "started@0 error:failed@1 started/2@2 error:failed/2@3 started/3@4 completed/3@5"
    ended, MissingEvents.times_read = a_run(a_task("x", "", states), state="completed"), 0

    lines = lines_of([ended], (), MissingEvents)

    assert lines[2].endswith("error failed")
    assert lines[4].endswith("error failed (attempt 2)")
    assert MissingEvents.times_read == 1


class LateEvents(FakeEngine):
    """Events that are late, as those of a log in the cloud."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields, has_live_events=False)


class NotedEvents(FakeEngine):
    """Notes after which event it is read."""

    read_after: ClassVar[list[int]] = []

    def events(self, *positional: Any, after: int = 0, **named: Any) -> list[PassedEvent]:
        NotedEvents.read_after.append(after)
        return super().events(*positional, after=after, **named)


class MissingEvents(LateEvents):
    """A log that has nothing of the run."""

    times_read: ClassVar = 0

    def events(self, *_: Any, **__: Any) -> list[PassedEvent]:
        MissingEvents.times_read += 1
        raise ServiceError("the log of the bus has no event of this run.")


def lines_of(
    views: list[RunView],
    passed: Sequence[PassedEvent] = (),
    engine_class: type[FakeEngine] = FakeEngine,
) -> list[str]:
    stream, engine = StringIO(), engine_class(passed=list(passed))
    with ProgressLines(Screen(stream, {}), AttemptErrors(engine, RUN)) as lines:
        for view in views:
            lines.show(view)
    return stream.getvalue().splitlines()
