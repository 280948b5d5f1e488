"""Rehearsing with a cerebro in the cloud: it is asked, and answers as the embedded engine does."""

from typing import Any

import pytest

from cerebro.core.declaration.diff import rehearsal
from cli_aws.cloud_in_memory import MemoryCloud
from cordyna_cli.aws.discovery import CerebroLocation
from cordyna_cli.aws.engine import AwsEngine
from cordyna_core import UserError
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration

PLACE = CerebroLocation(
    stage="production",
    bus="cordyna",
    query="cordyna-query",
    events_log="/aws/events/cordyna",
    schedule_group="cordyna",
)


def a_world() -> tuple[AwsEngine, MemoryCloud]:
    cloud = MemoryCloud()
    cloud.declare("x", "y<-x")
    session: Any = cloud
    engine = AwsEngine(session, PLACE, clock=lambda: cloud.now, sleep=cloud.sleep)
    return engine, cloud


def test_rehearsal_is_a_query_and_sends_no_event() -> None:
    engine, cloud = a_world()
    passed = len(cloud.passed)
    news = [
        ServerDeclared(
            server="server-b",
            tasks=[
                TaskDeclaration(name="z", upstream=["y", "undeclared"]),
                TaskDeclaration(name="x"),
            ],
        ),
        ServerDeclared(server="server-a", tasks=[TaskDeclaration(name="x", retries=1)]),
    ]

    view = engine.rehearse(news)

    assert view == rehearsal(cloud.store.read_graph(), news)
    assert [
        (each.outcome, [problem.code for problem in each.problems]) for each in view.declarations
    ] == [
        ("rejected", ["owned_by_another"]),
        ("accepted", []),
    ]
    assert len(cloud.passed) == passed


def test_replay_of_a_run_in_the_cloud_is_refused() -> None:
    engine, _ = a_world()
    with pytest.raises(UserError, match="cannot be replayed from here"):
        engine.replay("0" * 26)
