"""Cloud logs: what passed the bus, and what tasks printed, read back from CloudWatch Logs.

Law: a log is for people. It comes some seconds late, and where it is missing nothing else is.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from cordyna_cli.aws.aws_session import AwsSession, ResourceNotFound
from cordyna_core.contract.views.runs import LogLine

GROUPS: Final = ("/aws/lambda/{server}", "/aws/lambda/{server}-worker", "/cordyna/{server}")
"""Where the bodies of a server write: a Lambda, the Lambdas behind its door, its container."""


def passed(cloud: AwsSession, group: str | None, term: str | None, since_ms: int) -> list[str]:
    """Every event with `term` in it, in the order in which they were written. None where there is no such log."""
    found = (
        sorted(_lines(cloud, group, term, since_ms), key=lambda line: line["timestamp"])
        if group
        else []
    )
    return [line["message"] for line in found]


def printed(cloud: AwsSession, server: str, run_id: str, since_ms: int) -> list[LogLine]:
    """What the tasks of a run printed on one server."""
    found: list[LogLine] = []
    for group in GROUPS:
        for line in _lines(cloud, group.format(server=server), run_id, since_ms):
            told = _object(line["message"])
            if told.get("run_id") == run_id and "stream" in told:
                found.append(
                    LogLine.model_validate(
                        {
                            **told,
                            "at": told["timestamp"],
                            "text": told.get("message", ""),
                            "stream": told["stream"],
                        }
                    )
                )
    return sorted(found, key=lambda line: line.at)


def _lines(
    cloud: AwsSession, group: str, term: str | None, since_ms: int
) -> Iterator[dict[str, Any]]:
    asked: dict[str, Any] = {
        "logGroupName": group,
        "startTime": since_ms,
        **({"filterPattern": f'"{term}"'} if term else {}),
    }
    while True:
        try:
            page = cloud.call("logs", "filter_log_events", **asked)
        except ResourceNotFound:
            return
        yield from page["events"]
        if not page.get("nextToken"):
            return
        asked["nextToken"] = page["nextToken"]


def _object(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
