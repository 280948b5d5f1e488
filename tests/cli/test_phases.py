"""Phases of a task run, read off its timeline."""

from cli.run_builders import a_task, at
from cordyna_cli.wording.phases import phases_of
from cordyna_core.contract.views.runs import TimelineEntryView


def test_late_end_of_an_older_attempt_ends_no_phase() -> None:
    task = a_task("x", "", "dispatched/2@0 started/2@1 completed/2@9")
    late = TimelineEntryView(
        state="error", reason="late", at=at(4), by="cordyna.server.server-a", attempt=1
    )
    with_late = task.model_copy(update={"timeline": [*task.timeline, late]})

    phases = phases_of(with_late, at(0), at(9))

    assert phases == phases_of(task, at(0), at(9))
    assert [(phase.kind, phase.begin, phase.end) for phase in phases] == [
        ("dispatched", at(0), at(1)),
        ("running", at(1), at(9)),
    ]


def test_phases_follow_each_other_where_the_clock_is_behind() -> None:
    """1. A server's time is ahead. 2. The phase that lasts until now has begun later than now."""
    task = a_task("x", "", "dispatched@3 started@5")
    phases = phases_of(task, at(0), at(4))
    assert [(phase.kind, phase.begin, phase.end) for phase in phases] == [
        ("waiting", at(0), at(3)),
        ("dispatched", at(3), at(5)),
        ("running", at(5), at(5)),
    ]
