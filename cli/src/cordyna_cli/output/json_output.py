"""JSON output: the published formats.

Invariant: their keys change only with a new version of the contract.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from cordyna_cli.operations import Finding
from cordyna_cli.wording.why import Why
from cordyna_core.contract.views.graph import PlanView, TaskInfo
from cordyna_core.contract.views.rehearsal import RehearsalView
from cordyna_core.contract.views.replay import ReplayView
from cordyna_core.contract.views.runs import RunSummary, RunView


def run_json(view: RunView, *, joined: bool | None = None) -> str:
    """`--json` of do, retry, watch, show and timeline: one object, tasks in topological order.

    Every `at` is in UTC with microseconds. `joined` is printed by `do` only: whether the run was
    there before. `cancelled` is there, and true, only of a run that was cancelled: the published
    object of any other one has no other keys.
    """
    shown: dict[str, Any] = view.model_dump(mode="json")
    for task, dumped in zip(view.tasks, shown["tasks"], strict=True):
        for entry, line in zip(task.timeline, dumped["timeline"], strict=True):
            line["at"] = microseconds(entry.at)
    if view.cancelled:
        shown["cancelled"] = True
    if joined is not None:
        shown["joined"] = joined
    return json.dumps(shown, ensure_ascii=False)


def plan_json(view: PlanView) -> str:
    """`plan --json`: one object."""
    return json.dumps(view.model_dump(mode="json"), ensure_ascii=False)


def array_json(rows: Sequence[Any]) -> str:
    """`--json` of a list: one array of views, or of dataclasses."""
    return json.dumps(to_jsonable_python(list(rows)), ensure_ascii=False)


def object_json(row: Any) -> str:
    """Return one view, or a dataclass, as one object."""
    return json.dumps(to_jsonable_python(row), ensure_ascii=False)


def views_json(views: Sequence[BaseModel]) -> str:
    """`incidents --json`: one array of views, without what the published JSON leaves out."""
    return json.dumps([view.model_dump(mode="json") for view in views], ensure_ascii=False)


def findings_json(findings: Sequence[Finding]) -> str:
    """`doctor --json`: one array."""
    return array_json(
        [
            {
                "what": finding.what,
                "state": finding.state,
                "told": finding.detail,
                "next": finding.next,
            }
            for finding in findings
        ]
    )


def event_json(text: str) -> str:
    """`events --json`: one value on one line, whatever passed the bus.

    What is not JSON passes as `{"malformed": text}`.
    """
    try:
        event = json.loads(text, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        event = {"malformed": text}
    else:
        if "\n" not in text and "\r" not in text:
            return text
    return json.dumps(event, ensure_ascii=False)


def _reject_constant(constant: str) -> Any:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(constant)


def why_json(run_id: str, task: str, why: Why) -> str:
    """`why --json`: one object; `task` is the target where the whole run was meant."""
    return json.dumps(
        {
            "run_id": run_id,
            "task": task,
            "sentence": why.sentence,
            "beside": why.details,
            "next": why.next_step.command_and_purpose,
            "then": why.retry_step.command if why.retry_step else "",
            "traceback": why.traceback,
        },
        ensure_ascii=False,
    )


def describe_json(info: TaskInfo, downstream: Sequence[str], runs: Sequence[RunSummary]) -> str:
    """`describe --json`: one object: the row of `tasks --json`, with `downstream` and `runs`."""
    shown = to_jsonable_python(info)
    return json.dumps(
        {**shown, "downstream": list(downstream), "runs": to_jsonable_python(list(runs))},
        ensure_ascii=False,
    )


def consumers_json(info: TaskInfo, users: Sequence[TaskInfo]) -> str:
    """`consumers --json`: one object; `used_by` has the notices of each edge."""
    shown = to_jsonable_python(info)
    fields = ("task", "server", "owner", "consumers", "invokers", "deprecated", "until")
    used_by = [
        {
            "task": user.task,
            "server": user.server,
            "owner": user.owner,
            "notices": [notice for notice in shown["notices"] if notice["task"] == user.task],
        }
        for user in users
    ]
    return json.dumps(
        {**{name: shown[name] for name in fields}, "used_by": used_by}, ensure_ascii=False
    )


def rehearsal_json(view: RehearsalView) -> str:
    """`plan --declare ... --json`: one object."""
    return json.dumps(view.model_dump(mode="json"), ensure_ascii=False)


def replay_json(view: ReplayView) -> str:
    """`replay --json`: one object; every `at` is in UTC with microseconds."""
    shown: dict[str, Any] = view.model_dump(mode="json")
    for divergence, dumped in zip(view.divergences, shown["divergences"], strict=True):
        dumped["at"] = None if divergence.at is None else microseconds(divergence.at)
    return json.dumps(shown, ensure_ascii=False)


def microseconds(at: datetime) -> str:
    """`2026-01-02T03:04:05.000600Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
