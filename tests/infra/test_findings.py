"""What is deployed with every context has no findings: `cdk deploy` runs the same checks."""

import json
from pathlib import Path
from typing import Any, Final

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from app import cordyna
from architecture.repository import ROOT
from cordyna_infra.contexts import CHECKS, PREFIX

EVERY_CONTEXT: Final[dict[str, Any]] = {
    "stage": "staging",
    "bus": "cordyna-of-thirty-two-characters",
    "on-call": "me@example.org",
    "table": "cordyna-restored",
    "timers": "queue",
    "max-concurrency": "planner=50",
    "reserved-concurrency": "tracker=100",
    "provisioned-pollers": "tracker=3",
    "event-log": "commands-and-ends",
    "shift": "LINEAR_10_PERCENT_EVERY_1_MINUTE",
    "customer-key": "true",
    "accounts": {"111122223333": ["cordyna.server.sales"]},
}

ELSEWHERE: Final = {
    "console": "test_console.py",
    "runtime": "needs other assets",
    "architecture": "needs other assets",
    "leave-out": "for emulators",
    "image": "for emulators",
}
"""Contexts that this test leaves out, and why."""


def findings(folder: Path, values: dict[str, Any]) -> list[str]:
    """The findings of cdk-nag; none if the app can be synthesized."""
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    context |= {PREFIX + name: value for name, value in values.items()}
    app = cordyna(App(outdir=str(folder), context=context))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError:
        report = json.loads((folder / "validation-report.json").read_text())
        return [
            violation["ruleName"]
            for plugin in report["pluginReports"]
            for violation in plugin["violations"]
        ]
    return []


def test_no_context_has_findings(tmp_path: Path) -> None:
    assert findings(tmp_path / "all", EVERY_CONTEXT) == []
    # A table and functions of this stack, where the first set has others.
    assert findings(tmp_path / "key", {"customer-key": "true"}) == []


def test_every_context_is_checked() -> None:
    assert EVERY_CONTEXT.keys() | ELSEWHERE.keys() == CHECKS.keys()
