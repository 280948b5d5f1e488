"""Context values: each bad one, and each misspelt name, is refused before anything is deployed."""

import re
from typing import Any

import pytest
from aws_cdk import App

from app import cordyna
from architecture.repository import ROOT
from cordyna_infra.contexts import CHECKS, ContextError, check_contexts

IN_SOURCES = re.compile(r'"cordyna:([a-z-]+)"')
NO_CONTEXTS = {"server", "part"}
"""Tags of resources have the same prefix."""


def app_with(**values: Any) -> App:
    """An app with context values (a_b is cordyna:a-b)."""
    return App(context={f"cordyna:{name.replace('_', '-')}": v for name, v in values.items()})


def test_contexts_of_a_deployment_are_accepted() -> None:
    check_contexts(
        app_with(
            stage="staging",
            bus="cordyna-2",
            on_call="me@example.org",
            timers="queue",
            max_concurrency="tracker=200,planner=50",
            shift="LINEAR_10_PERCENT_EVERY_1_MINUTE",
            customer_key="true",
            accounts={"111122223333": ["cordyna.server.sales"]},
            runtime="python3.13",
            leave_out="scaling,archive,metric-math",
        )
    )


def test_contexts_of_a_pipeline_may_be_empty() -> None:
    check_contexts(app_with(on_call="", customer_key=""))


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("stage", "prod", "cordyna:stage is 'prod': it must be production, staging or local"),
        ("bus", "my bus", "it must be at most 32 letters, digits and hyphens"),
        ("bus", "default", "the bus `default` of the account"),
        ("on_call", "the team", "it must be an e-mail address"),
        ("table", "", "it must be the name of a table"),
        ("timers", "fast", "it must be states or queue"),
        ("max_concurrency", "tracker", "is not NAME=NUMBER"),
        ("event_log", "some", "it must be all, commands-and-ends or off"),
        ("shift", "FAST", "such as LINEAR_10_PERCENT_EVERY_1_MINUTE"),
        ("customer_key", "yes", "it must be true or false"),
        ("accounts", "sales", "it must be an object in cdk.json"),
        ("accounts", {"1": ["cordyna.client"]}, "which is not the 12 digits of an account"),
        ("accounts", {"111122223333": []}, "it must list the sources of account 111122223333"),
        ("accounts", {"111122223333": ["sales"]}, "'sales' is not a source of a team"),
        ("runtime", "3.14", "such as python3.14"),
        ("architecture", "riscv", "it must be arm64 or x86_64"),
        ("leave_out", "archive,bus", "it has unknown parts bus"),
        ("oncall", "me@example.org", "not a context of cordyna: did you mean cordyna:on-call?"),
        ("colour", "red", "not a context of cordyna: docs/deploying.md lists them"),
    ],
)
def test_bad_context_is_refused_with_its_reason(name: str, value: Any, problem: str) -> None:
    with pytest.raises(ContextError, match=re.escape(problem)):
        cordyna(app_with(**{name: value}))


def test_all_bad_contexts_are_listed_once_together() -> None:
    bad = app_with(stage="prod", timers="fast", max_concurrency="x", provisioned_pollers="x")
    with pytest.raises(ContextError) as refused:
        check_contexts(bad)
    first_words = [line.split()[0] for line in str(refused.value).splitlines()]
    assert first_words == ["cordyna:max-concurrency:", "cordyna:stage", "cordyna:timers"]


def test_contexts_are_those_of_the_code_and_the_page() -> None:
    sources = (ROOT / "infra").glob("cordyna_*/**/*.py")
    read = {name for file in sources for name in IN_SOURCES.findall(file.read_text())}
    page = (ROOT / "docs" / "deploying.md").read_text()
    table = page.partition("## Contexts")[2].partition("\n## ")[0]
    documented = {
        name
        for line in table.splitlines()
        if line.startswith("|")
        for name in re.findall(r"`cordyna:([a-z-]+)`", line.split("|")[1])
    }
    assert read - NO_CONTEXTS == set(CHECKS)
    assert documented == set(CHECKS)
