"""`started_after` of the TaskServer construct: where it goes, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Duration

from cordyna_cdk import Container
from cordyna_cdk.started_after import VARIABLE
from cordyna_core.aws.settings import server_settings
from cordyna_core.errors import UserError
from infra.team_stack import deployed, written
from infra.templates import Template

LAMBDA, QUEUE = {"max_concurrency": "unlimited"}, {"max_concurrency": 5}


def hold_of(template: Template, handler: str) -> str | None:
    """What the function with this entry point has as its hold."""
    (function,) = [
        function
        for function in template.all("AWS::Lambda::Function").values()
        if str(function["Handler"]).endswith(f"lambda_handlers.{handler}")
    ]
    hold: str | None = function["Environment"]["Variables"].get(VARIABLE)
    return hold


@pytest.mark.parametrize(
    ("given", "handler"), [(LAMBDA, "handler"), (QUEUE, "worker"), ({}, "worker")]
)
def test_hold_is_a_variable_of_the_function(
    tmp_path: Path, given: dict[str, Any], handler: str
) -> None:
    code = written(tmp_path / "src")
    template = deployed(tmp_path, code=code, started_after=Duration.millis(2500), **given)
    hold = hold_of(template, handler)
    assert hold is not None
    assert server_settings({VARIABLE: hold}).started_after_s == 2.5


def test_hold_is_a_variable_of_the_container(tmp_path: Path) -> None:
    template = deployed(
        tmp_path,
        code=written(tmp_path / "src"),
        container=Container(),
        started_after=Duration.seconds(3),
    )
    (container,) = template.one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    assert {"Name": VARIABLE, "Value": "3"} in container["Environment"]


@pytest.mark.parametrize(
    ("given", "handler"), [(LAMBDA, "handler"), (QUEUE, "worker"), ({}, "worker")]
)
def test_server_by_default_has_the_hold_of_the_library(
    tmp_path: Path, given: dict[str, Any], handler: str
) -> None:
    template = deployed(tmp_path, code=written(tmp_path / "src"), **given)
    assert hold_of(template, handler) is None
    assert server_settings({}).started_after_s == 1


@pytest.mark.parametrize("given", [LAMBDA, QUEUE])
def test_default_hold_fits_the_shortest_clocks(tmp_path: Path, given: dict[str, Any]) -> None:
    code = written(tmp_path / "src", "ack_timeout_s=1, start_timeout_s=1")
    deployed(tmp_path, code=code, **given)


def test_hold_of_no_seconds_reports_at_once(tmp_path: Path) -> None:
    code, none = written(tmp_path / "src"), Duration.seconds(0)
    hold = hold_of(deployed(tmp_path, code=code, started_after=none, **LAMBDA), "handler")
    assert hold is not None
    assert server_settings({VARIABLE: hold}).started_after_s == 0


def test_hold_above_five_seconds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is held for at most 5 s"):
        deployed(tmp_path, code=written(tmp_path / "src"), started_after=Duration.millis(5001))


@pytest.mark.parametrize(
    ("given", "declared"),
    [(LAMBDA, "ack_timeout_s=5"), (QUEUE, "ack_timeout_s=5"), (QUEUE, "start_timeout_s=5")],
)
def test_hold_above_half_of_a_clock_is_refused(
    tmp_path: Path, given: dict[str, Any], declared: str
) -> None:
    code = written(tmp_path / "src", declared)
    with pytest.raises(UserError, match="too long") as refused:
        deployed(tmp_path, code=code, started_after=Duration.seconds(3), **given)
    assert f"total declares {declared}" in str(refused.value)
    assert "pass at most 2.5 s" in str(refused.value)


def test_clock_that_started_never_stops_is_no_limit(tmp_path: Path) -> None:
    code = written(tmp_path / "src", "start_timeout_s=5")
    template = deployed(tmp_path, code=code, started_after=Duration.seconds(3), **LAMBDA)
    assert hold_of(template, "handler") == "3"
