"""Cold start: what a Lambda handler must not import, because few of its invocations need it."""

import re
import subprocess
import sys
from typing import Final

import pytest

from architecture.repository import ROOT

HANDLERS: Final = ROOT / "functions/cerebro/src/cerebro/lambdas"
MODULES: Final = {
    **{
        path.stem: f"cerebro.lambdas.{path.stem}"
        for path in HANDLERS.glob("*.py")
        if re.search(r"^\w+ = on_(queue|call)\(", path.read_text(), re.MULTILINE)
    },
    "task server": "cordyna_core.entrypoints.lambda_handlers",
}

NEEDED_BY: Final[dict[str, set[str]]] = {
    "networkx": set(),  # only for a declaration with a cycle
    "jsonschema": set(),  # only for a task with a schema of its parameters
    "boto3": set(),
    "typer": set(),
    "rich": set(),
    "cordyna_cli": set(),
    "cerebro.embedded": set(),
    "cordyna_core.contract.views.runs": {"query"},
    "cordyna_core.contract.views.rehearsal": {"query"},
}
"""Module -> the handlers that import it at once; the others do when they need it, or never."""


def test_cold_start_covers_every_lambda_handler() -> None:
    assert MODULES.keys() == {"queue_handlers", "sweeper", "query", "task server"}


@pytest.mark.parametrize("name", MODULES)
def test_lambda_handler_does_not_import_rarely_used_modules(name: str) -> None:
    code = f"import sys, {MODULES[name]}; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert [
        module for module, lambdas in NEEDED_BY.items() if module in loaded and name not in lambdas
    ] == []
