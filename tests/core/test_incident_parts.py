"""Incident parts: the owner of a server, what a failure blocks, the ids of what is published."""

from dataclasses import replace

from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.causes import blocked_by, owner_of_server
from cerebro.core.incidents.incident import Incident
from cerebro.core.incidents.messages import incident_changed
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.testing.examples import RUN
from cordyna_core.contract.incidents import incident_id
from world.declarations import declared, graph_of

CHAIN = Plan(
    (
        PlannedTask(name="a", server="s"),
        PlannedTask(name="b", server="s", awaits=(0,)),
        PlannedTask(name="c", server="s", awaits=(1,)),
    )
)
SNAPSHOT = RunSnapshot(
    Run(id=RUN, task="c", plan_id=CHAIN.id, created_at=0.0, cause="event-1"), CHAIN
)
FAILED = TaskRun(attempt=1, rank=Rank.ERROR, cause="event-2")


def test_owner_of_a_server_is_that_of_its_first_task() -> None:
    server = declared("s", "a  b  c", b={"owner": "team-b"}, c={"owner": "team-c"})
    assert owner_of_server(graph_of(server), "s") == "team-b"


def test_what_completed_is_not_blocked() -> None:
    """It completed before a retry of its upstream failed; what needs it waits for nothing else."""
    completed = replace(FAILED, rank=Rank.COMPLETED)
    waiting = blocked_by(Graph.of({}), SNAPSHOT, {0: FAILED}, 0)
    assert [blocked.task for blocked in waiting] == ["b", "c"]
    assert blocked_by(Graph.of({}), SNAPSHOT, {0: FAILED, 1: completed}, 0) == ()


def test_each_change_of_an_incident_has_an_id_of_its_own() -> None:
    incident = Incident(
        id=incident_id("failed", "a"),
        kind="failed",
        task="a",
        server="s",
        owner=None,
        opened_at=0.0,
        opened_by="event-1",
        published_at=0.0,
        run_id=RUN,
    )
    versions = (incident, replace(incident, version=2), replace(incident, version=2, episode=2))
    metas = [incident_changed(version, now=1.0).meta for version in versions]
    assert len({meta.id for meta in metas if meta is not None}) == len(versions)
