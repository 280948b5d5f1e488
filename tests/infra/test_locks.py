"""Locks: what is deployed is pinned, hashed, and tested with the same versions."""

import json
import re

import pytest

from architecture.repository import ROOT
from architecture.test_structure import requirements
from cordyna_cdk.guarded_function import NEWEST_PYTHON
from cordyna_infra import build_variants


@pytest.mark.parametrize(
    "name", ["infra.txt", "cloud.txt", "layer.txt", "cerebro.txt", "console.txt"]
)
def test_locked_packages_are_pinned_and_hashed(name: str) -> None:
    for package, entry in requirements(name).items():
        assert re.match(r"[a-z0-9._-]+(\[[a-z0-9,-]+\])?==", package), package
        assert "--hash=sha256:" in entry, package


@pytest.mark.parametrize("name", ["layer.txt", "cerebro.txt", "console.txt"])
def test_deployed_versions_are_the_tested_ones(name: str) -> None:
    # A marker may be narrower: it says for which Pythons a package is needed, not which version.
    deployed, tested = (
        {package.partition(" ;")[0] for package in requirements(each)} for each in (name, "dev.txt")
    )
    assert deployed <= tested


def test_cdk_command_line_is_pinned_without_addresses() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert not any("resolved" in package for package in locked.values())
    assert all("integrity" in package for name, package in locked.items() if name)


def test_assets_are_built_for_the_deployed_python() -> None:
    assert build_variants.NEWEST_PYTHON == NEWEST_PYTHON
