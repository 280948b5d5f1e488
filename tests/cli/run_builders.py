"""Builders: a run as the command line sees it, in one line."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cordyna_core.contract.base import ErrorDescription, RootCause
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.views.runs import RunView, TaskView, TimelineEntryView

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = run_id_of("task-3", "a key")
SERVERS = ("a", "b", "c")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def a_task(
    name: str,
    up: str = "",
    entries: str = "",
    *,
    server: str = "server-a",
    blocked_by: str = "",
    **more: Any,
) -> TaskView:
    """`entries` is the timeline: `dispatched@0 started@0.5 error:failed@2 started/2@3`."""
    timeline = [_entry(word, server) for word in entries.split()]
    fields: dict[str, Any] = {
        "state": "pending",
        "reason": "blocked" if blocked_by else "waiting",
    }
    if timeline:
        last = timeline[-1]
        fields = {"state": last.state, "reason": last.reason, "attempt": last.attempt}
    return TaskView(
        task=name,
        server=server,
        upstream=up.split(),
        timeline=timeline,
        blocked_by=blocked_by.split(),
        **{"error": _error(timeline), **fields, **more},
    )


def _entry(word: str, server: str) -> TimelineEntryView:
    what, _, when = word.partition("@")
    what, _, attempt = what.partition("/")
    state, _, reason = what.partition(":")
    if state in ("dispatched", "retry_wait"):
        state, reason = "pending", state
    by = (
        "cordyna.cerebro"
        if state == "pending" or reason.endswith("timeout") or reason == "cancelled"
        else f"cordyna.server.{server}"
    )
    return TimelineEntryView(
        state=state, reason=reason or None, at=at(float(when)), by=by, attempt=int(attempt or 1)
    )


def _error(timeline: Sequence[TimelineEntryView]) -> ErrorDescription | None:
    last = timeline[-1] if timeline else None
    return (
        ErrorDescription(type="ValueError", message="bad row 7")
        if last and last.reason in ("failed", "failed_terminal", "retry_wait")
        else None
    )


def a_run(*tasks: TaskView, state: str = "running", **more: Any) -> RunView:
    """The last task is the target."""
    failed = [task for task in tasks if task.state == "error"]
    causes = [
        RootCause(task=task.task, server=task.server, owner=task.owner, reason=task.reason or "")
        for task in failed
    ]
    return RunView(
        **{
            "run_id": RUN,
            "task": tasks[-1].task,
            "state": state,
            "root_causes": causes,
            "tasks": list(tasks),
            "created_at": T0,
            **more,
        }
    )


def completed_run() -> RunView:
    return a_run(
        a_task(
            "task-1", "", "dispatched@0 queued@0.1 started@0.5 completed@2.5", output={"rows": 3}
        ),
        a_task("task-2", "", "dispatched@0 started@0.2 completed@4"),
        a_task(
            "task-3",
            "task-1 task-2",
            "dispatched@4 started@4.3 completed@5",
            server="server-b",
            output={"rows": 6},
            params={"day": "monday"},
        ),
        state="completed",
    )


def failed_run() -> RunView:
    return a_run(
        a_task("extract", "", "dispatched@0 started@0.2 completed@1"),
        a_task(
            "clean",
            "extract",
            "dispatched@1 started@1.1 retry_wait@2 dispatched/2@4 started/2@4.2 error:failed/2@5",
            owner="team-a",
        ),
        a_task("load", "clean", server="server-b", blocked_by="clean"),
        a_task("report", "load extract", server="server-b", blocked_by="clean"),
        state="error",
    )


def wide_run(width: int = 298) -> RunView:
    """1 - `width` - 1 tasks, some of them at work."""
    middle = [
        a_task(f"part-{n:03d}", "root", _MIDDLE[n % 5], server=f"server-{SERVERS[n % 3]}")
        for n in range(width)
    ]
    return a_run(
        a_task("root", "", "dispatched@0 started@0.1 completed@1"),
        *middle,
        a_task("sink", " ".join(task.task for task in middle), server="server-b"),
    )


_MIDDLE = (
    "dispatched@1 started@2 completed@3",
    "dispatched@1 started@2",
    "dispatched@1 queued@2",
    "dispatched@1",
    "dispatched@1 started@2 completed@4",
)


def chain_run(length: int = 300, at_work: int = 150) -> RunView:
    """A chain, of which the tasks below `at_work` have completed."""

    def entries(n: int) -> str:
        return (
            f"dispatched@{n} started@{n} completed@{n + 1}"
            if n < at_work
            else f"dispatched@{n} started@{n}"
            if n == at_work
            else ""
        )

    return a_run(
        *(
            a_task(f"link-{n:03d}", f"link-{n - 1:03d}" if n else "", entries(n))
            for n in range(length)
        )
    )
