"""Discovery: where a cerebro is, by the SSM parameters `/cordyna/<stage>/...` of its stack.

Invariant: a person names at most the bus; everything else is discovered.
"""

from dataclasses import dataclass
from typing import Final

from cordyna_cli.aws.aws_session import AwsSession
from cordyna_core.errors import NotFound, UserError

PARAMETER_PATH: Final = "/cordyna/"

_REQUIRED: Final = frozenset({"bus", "query"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CerebroLocation:
    """The resources of one stage's cerebro."""

    stage: str
    bus: str
    query: str
    events_log: str | None
    schedule_group: str | None


def find_cerebro(session: AwsSession, bus: str | None) -> CerebroLocation:
    """Return the cerebro whose bus is `bus`, or the only one.

    Raises NotFound; UserError where there are several.
    """
    locations = [
        _location(stage, parameters)
        for stage, parameters in sorted(_parameters_by_stage(session).items())
        if parameters.keys() >= _REQUIRED
    ]
    matching = [location for location in locations if bus is None or location.bus == bus]
    if not matching:
        buses = ", ".join(location.bus for location in locations)
        raise NotFound(
            f"there is no cerebro{f' with the bus {bus}' if bus else ''} in {session.where}.",
            why=f"buses in this account and region: {buses}"
            if buses
            else f"no SSM parameters under {PARAMETER_PATH}",
            next="name another with --bus, --region or --profile; or deploy one",
        )
    if len(matching) > 1:
        raise UserError(
            f"there are {len(matching)} cerebros in {session.where}.",
            why="\n".join(f"{location.stage}: bus {location.bus}" for location in matching),
            next=f"name one by its bus: dyna --bus {matching[0].bus} ...",
        )
    return matching[0]


def _parameters_by_stage(session: AwsSession) -> dict[str, dict[str, str]]:
    stages: dict[str, dict[str, str]] = {}
    token: dict[str, str] = {}
    while True:
        page = session.call(
            "ssm", "get_parameters_by_path", Path=PARAMETER_PATH, Recursive=True, **token
        )
        for parameter in page["Parameters"]:
            stage, _, name = parameter["Name"].removeprefix(PARAMETER_PATH).partition("/")
            stages.setdefault(stage, {})[name] = parameter["Value"]
        if "NextToken" not in page:
            return stages
        token = {"NextToken": page["NextToken"]}


def _location(stage: str, parameters: dict[str, str]) -> CerebroLocation:
    return CerebroLocation(
        stage=stage,
        bus=parameters["bus"],
        query=parameters["query"],
        events_log=parameters.get("events-log"),
        schedule_group=parameters.get("schedule-group"),
    )
