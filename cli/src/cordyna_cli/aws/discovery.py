"""Discovery: where a cerebro is, told by SSM parameters `/cordyna/<stage>/...` that its stack wrote.

Law: a person names at most the bus; the rest is found.
"""

from dataclasses import dataclass
from typing import Final

from cordyna_cli.aws.aws_session import AwsSession
from cordyna_core.errors import NotFound, UserError

PATH: Final = "/cordyna/"


@dataclass(frozen=True, slots=True, kw_only=True)
class CerebroLocation:
    """One stage's cerebro."""

    stage: str
    bus: str
    query: str
    events_log: str | None
    schedule_group: str | None


def find_cerebro(cloud: AwsSession, bus: str | None) -> CerebroLocation:
    """The stage whose bus is `bus`, or the only one. Raises NotFound, UserError where there are several."""
    stages = _stages(cloud)
    complete = [
        _place(stage, told)
        for stage, told in sorted(stages.items())
        if {"bus", "query"} <= told.keys()
    ]
    found = [place for place in complete if bus is None or place.bus == bus]
    if not found:
        there = ", ".join(place.bus for place in complete)
        raise NotFound(
            f"there is no cerebro{f' with the bus {bus}' if bus else ''} in {cloud.where}.",
            why=f"buses there: {there}" if there else f"no SSM parameters under {PATH}",
            next="name another with --bus, --region or --profile; or deploy one",
        )
    if len(found) > 1:
        raise UserError(
            f"there are {len(found)} cerebros in {cloud.where}.",
            why="\n".join(f"{place.stage}: bus {place.bus}" for place in found),
            next=f"name one by its bus: dyna --bus {found[0].bus} ...",
        )
    return found[0]


def _stages(cloud: AwsSession) -> dict[str, dict[str, str]]:
    stages: dict[str, dict[str, str]] = {}
    token: dict[str, str] = {}
    while True:
        page = cloud.call("ssm", "get_parameters_by_path", Path=PATH, Recursive=True, **token)
        for parameter in page["Parameters"]:
            stage, _, name = parameter["Name"].removeprefix(PATH).partition("/")
            stages.setdefault(stage, {})[name] = parameter["Value"]
        if "NextToken" not in page:
            return stages
        token = {"NextToken": page["NextToken"]}


def _place(stage: str, told: dict[str, str]) -> CerebroLocation:
    return CerebroLocation(
        stage=stage,
        bus=told["bus"],
        query=told["query"],
        events_log=told.get("events-log"),
        schedule_group=told.get("schedule-group"),
    )
