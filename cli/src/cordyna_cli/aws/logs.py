"""Logs: the events of the bus, and what tasks printed, read from CloudWatch Logs.

Invariant: a log is only shown. It is some seconds late, and nothing else depends on it.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from cordyna_cli.aws.aws_session import AwsSession, ResourceNotFound
from cordyna_core.contract.views.runs import LogLine

LOG_GROUPS: Final = (
    "/aws/lambda/{name}",
    "/aws/lambda/{name}-worker",
    "/cordyna/{name}",
)
"""Where the bodies of a server write: its Lambda, the workers behind its queue, its container."""


def logged_events(
    session: AwsSession, group: str | None, term: str | None, since_ms: int
) -> list[str]:
    """Return every event that contains `term`, in the order they were written.

    Empty without a log.
    """
    if group is None:
        return []
    lines = sorted(_lines(session, group, term, since_ms), key=lambda line: line["timestamp"])
    return [line["message"] for line in lines]


def task_output(session: AwsSession, name: str, run_id: str, since_ms: int) -> list[LogLine]:
    """Return what the tasks of a run printed on the server whose resources are named `name`."""
    lines: list[LogLine] = []
    for group in LOG_GROUPS:
        for line in _lines(session, group.format(name=name), run_id, since_ms):
            record = _json_object(line["message"])
            if record.get("run_id") == run_id and "stream" in record:
                fields = {"at": record["timestamp"], "text": record.get("message", "")}
                lines.append(LogLine.model_validate({**record, **fields}))
    return lines


def _lines(
    session: AwsSession, group: str, term: str | None, since_ms: int
) -> Iterator[dict[str, Any]]:
    request: dict[str, Any] = {
        "logGroupName": group,
        "startTime": since_ms,
        **({"filterPattern": f'"{term}"'} if term else {}),
    }
    while True:
        try:
            page = session.call("logs", "filter_log_events", **request)
        except ResourceNotFound:
            return
        yield from page["events"]
        if not page.get("nextToken"):
            return
        request["nextToken"] = page["nextToken"]


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
