"""Discovery: which cerebro is found by its SSM parameters, and opened."""

from typing import Any

import pytest

from cli_aws.cloud_in_memory import MemoryCloud
from cordyna_cli.aws import engine as aws_engine
from cordyna_cli.aws.discovery import CerebroLocation, find_cerebro
from cordyna_cli.aws.engine import open_engine
from cordyna_cli.engine import EngineOptions
from cordyna_core import UserError

PLACE = CerebroLocation(
    stage="production",
    bus="cordyna",
    query="cordyna-query",
    events_log="/aws/events/cordyna",
    schedule_group="cordyna",
)


def test_engine_opens_where_cerebro_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = MemoryCloud()
    cloud.answers["ssm.get_parameters_by_path"] = lambda **_: parameters(
        production={"bus": "cordyna", "query": "cordyna-query"}
    )
    monkeypatch.setattr(aws_engine, "AwsSession", lambda options: cloud)
    with open_engine(EngineOptions()) as engine:
        assert engine.runs() == []
        # Without a log of the bus nothing is read from one.
        assert engine.events() == []


def parameters(**stages: dict[str, str]) -> Any:
    return {
        "Parameters": [
            {"Name": f"/cordyna/{stage}/{name}", "Value": value}
            for stage, raised in stages.items()
            for name, value in raised.items()
        ]
    }


ONE = {"bus": "cordyna", "query": "cordyna-query"}
OTHER = {"bus": "other", "query": "other-query"}


@pytest.mark.parametrize(
    ("stages", "bus", "found"),
    [
        ({"production": ONE}, None, "production"),
        ({"production": ONE, "staging": OTHER}, "other", "staging"),
        ({"production": ONE, "half": {"bus": "half"}}, None, "production"),
    ],
)
def test_cerebro_is_found_by_bus_or_as_the_only_one(
    stages: dict[str, dict[str, str]], bus: str | None, found: str
) -> None:
    assert find_cerebro(answering(parameters(**stages)), bus).stage == found


def test_ssm_parameters_are_read_page_by_page() -> None:
    pages = [
        parameters(production={"bus": "cordyna"}) | {"NextToken": "t"},
        parameters(production={"query": "cordyna-query"}),
    ]
    assert find_cerebro(answering(*pages), None).query == "cordyna-query"


@pytest.mark.parametrize(
    ("stages", "bus", "what", "why"),
    [
        ({}, None, "there is no cerebro in memory.", "no SSM parameters under /cordyna/"),
        (
            {"production": ONE},
            "other",
            "there is no cerebro with the bus other in memory.",
            "buses in this account and region: cordyna",
        ),
        (
            {"production": ONE, "staging": OTHER},
            None,
            "there are 2 cerebros in memory.",
            "production: bus cordyna\nstaging: bus other",
        ),
    ],
)
def test_missing_or_ambiguous_cerebro_is_an_error(
    stages: dict[str, dict[str, str]], bus: str | None, what: str, why: str
) -> None:
    with pytest.raises(UserError) as raised:
        find_cerebro(answering(parameters(**stages)), bus)
    assert (raised.value.what, raised.value.why) == (what, why)


def answering(*pages: Any) -> Any:
    cloud, left = MemoryCloud(), iter(pages)
    cloud.answers["ssm.get_parameters_by_path"] = lambda **_: next(left)
    return cloud
