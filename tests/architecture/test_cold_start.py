"""Cold start: what is not imported with a Lambda's entry, because most of its invocations do not need it."""

import subprocess
import sys
from typing import Final

import pytest

from architecture.repository import ROOT

ENTRIES: Final = ROOT / "functions/cerebro/src/cerebro/lambdas"
LAMBDAS: Final = {
    **{
        path.stem: f"cerebro.lambdas.{path.stem}"
        for path in ENTRIES.glob("*.py")
        if "\nhandler = " in path.read_text()
    },
    "a task server": "cordyna_core.aws.lambda_handlers",
}

NEEDED_BY: Final[dict[str, set[str]]] = {
    "networkx": set(),  # where there is a cycle to tell
    "jsonschema": set(),  # where a task has a schema of its parameters
    "boto3": set(),
    "typer": set(),
    "rich": set(),
    "cordyna_cli": set(),
    "cerebro.embedded": set(),
    "cordyna_core.contract.views.runs": {"query"},
    "cordyna_core.contract.views.rehearsal": {"query"},
}
"""Module -> the Lambdas that import it at once; the others do when they need it, or never."""


def test_every_lambda_of_cerebro_is_looked_at() -> None:
    assert LAMBDAS.keys() == {
        "registry",
        "planner",
        "tracker",
        "timekeeper",
        "sweeper",
        "query",
        "a task server",
    }


@pytest.mark.parametrize("name", LAMBDAS)
def test_what_few_invocations_need_is_not_imported_with_an_entry(name: str) -> None:
    told = f"import sys, {LAMBDAS[name]}; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True
    ).stdout.split()
    assert [
        module for module, lambdas in NEEDED_BY.items() if module in loaded and name not in lambdas
    ] == []
