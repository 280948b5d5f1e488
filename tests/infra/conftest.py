"""The stacks as they would be deployed, synthesized once."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from app import cordyna
from architecture.repository import ROOT
from infra.team_stack import written
from infra.templates import Template, templates_in


def synthesized(outdir: Path, **context: str) -> dict[str, Template]:
    """The templates by stack, with the context of cdk.json and `context` (a_b is cordyna:a-b)."""
    defaults: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    values = {f"cordyna:{name.replace('_', '-')}": value for name, value in context.items()}
    cordyna(App(outdir=str(outdir), context={**defaults, **values})).synth()
    return templates_in(outdir)


@pytest.fixture(scope="session")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """The templates of production."""
    return synthesized(tmp_path_factory.mktemp("cdk.out"))


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with the module `sales` in it."""
    return written(tmp_path / "src")
