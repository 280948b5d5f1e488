"""Engines: opening an engine that is installed, is not, or lacks a package."""

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from cli.fake_engine import FakeEngine
from cli.run_dyna import dyna
from cordyna_cli import engines
from cordyna_cli.engine import EngineOptions
from cordyna_cli.engines import open_engine
from cordyna_core.errors import UserError


def installed(monkeypatch: pytest.MonkeyPatch, *entries: EntryPoint) -> None:
    monkeypatch.setattr(engines, "entry_points", lambda **_: entries)


def test_engine_of_an_entry_point_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("aws", "cli.fake_engine:FakeEngine", "cordyna.engines")
    installed(monkeypatch, entry)

    opened: Any = open_engine("aws", EngineOptions())

    assert isinstance(opened, FakeEngine)


@pytest.mark.parametrize("package", ["boto3", "botocore.exceptions"])
def test_profile_without_boto3_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    def missing(_: EntryPoint) -> Any:
        raise ModuleNotFoundError(f"No module named '{package}'", name=package)

    monkeypatch.setattr(EntryPoint, "load", missing)
    installed(monkeypatch, EntryPoint("aws", "cordyna_cli.aws.engine:open_engine", "x"))

    with pytest.raises(UserError, match="the aws engine is not installed") as raised:
        open_engine("aws", EngineOptions(profile="p"))

    assert (raised.value.why, raised.value.next) == (
        f"it needs the package {package}",
        "pip install 'cordyna-cli[aws]'",
    )


def test_profile_without_engine_exits_with_1() -> None:
    result = dyna("--profile", "p", "runs")

    assert (result.status, result.err.splitlines()[-1]) == (
        1,
        "  next: pip install 'cordyna-cli[aws]'",
    )
