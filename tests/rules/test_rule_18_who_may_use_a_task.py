"""Rule 18: who may depend on a task, and who may invoke it (docs/rules.md, rule 18)."""

from typing import Any, Final

import pytest

from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import CLIENT, SCHEDULER, server_source
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationRejected,
    InvocationRejected,
)
from world.declarations import params
from world.reactions import Reactions
from world.scenarios import ReactionWorld
from world.world import World

CUSTOMER: Final = params(customer="string")


def a_crm(**access: Any) -> ReactionWorld:
    """Server crm has a task that only some may use."""
    world = World(Reactions())
    world.declare("crm", "crm.purge", **{"crm.purge": {**CUSTOMER, **access}})
    return world


def refused(world: ReactionWorld) -> list[tuple[str, str]]:
    refusals = [
        message
        for message in world.published
        if isinstance(message, InvocationRejected | DeclarationRejected)
    ]
    return [(problem.code, problem.message) for each in refusals for problem in each.problems]


def test_server_that_is_no_consumer_cannot_run_it_indirectly() -> None:
    """A server declares a task that needs another team's, and invokes its own with params.

    1. The edge is refused, with both names. 2. So the task is unknown, and nothing is run.
    """
    world = a_crm(consumers=["billing"], owner="team-crm")
    world.declare("z", "z.t<-crm.purge")
    ((code, message),) = refused(world)
    assert code == "not_a_consumer"
    assert message == (
        'task "z.t" of z may not depend on "crm.purge" of crm, whose consumers are billing: '
        "ask team-crm to add z, or remove it from upstream"
    )

    world.invoke("z.t", source=server_source("z"), params={"customer": "all"})
    assert world.problems[1:] == ["unknown_task"]
    assert world.sent == []


def test_consumer_runs_it_with_the_params_of_the_run() -> None:
    world = a_crm(consumers=["z*"])
    world.declare("z", "z.t<-crm.purge")
    world.invoke("z.t", source=server_source("z"), params={"customer": "all"})

    (command,) = [message for message in world.published if isinstance(message, RunTask)]
    assert (command.server, command.params) == ("crm", {"customer": "all"})


def test_task_without_consumers_is_open_to_every_server() -> None:
    world = a_crm()
    world.declare("z", "z.t<-crm.purge")
    assert world.problems == []


def test_narrowing_is_accepted_and_refuses_what_needs_the_edge() -> None:
    """An accepted declaration is not rejected retroactively, but its edge is closed.

    1. crm closes its task. 2. A run that needs it is refused. 3. z may declare the edge again, and
    more beside it, but not another edge to the closed task. 4. crm opens its task again.
    """
    world = a_crm()
    world.declare("z", "z.t<-crm.purge")
    closed = {**CUSTOMER, "consumers": []}
    world.declare("crm", "crm.purge", **{"crm.purge": closed})
    accepted = [message for message in world.published if isinstance(message, DeclarationAccepted)]
    assert [notice.code for notice in accepted[-1].notices] == ["not_allowed"]

    world.invoke("z.t")
    assert [code for code, _ in refused(world)] == ["not_a_consumer"]
    world.declare("z", "z.t<-crm.purge")
    world.declare("z", "z.t<-crm.purge  z.new", revision=1)
    assert [code for code, _ in refused(world)] == ["not_a_consumer"]
    world.declare("z", "z.t<-crm.purge  z.new<-crm.purge", revision=2)
    assert [code for code, _ in refused(world)] == ["not_a_consumer"] * 2

    world.declare("crm", "crm.purge", **{"crm.purge": CUSTOMER})
    world.invoke("z.t")
    assert world.sent == [("crm.purge", 1)]


def test_edge_that_was_given_up_is_judged_as_a_new_one() -> None:
    world = a_crm()
    world.declare("z", "z.t<-crm.purge")
    world.declare("crm", "crm.purge", **{"crm.purge": {**CUSTOMER, "consumers": []}})
    world.declare("z", "z.t")
    world.declare("z", "z.t<-crm.purge")
    assert world.problems == ["not_a_consumer"]


def test_edge_of_a_task_of_another_server_is_a_new_one() -> None:
    """Leave belongs to a server: a task that moves does not take its edges along."""
    world = a_crm()
    world.declare("z", "t<-crm.purge")
    world.declare("crm", "crm.purge", **{"crm.purge": {**CUSTOMER, "consumers": ["z"]}})
    world.declare("z", "z.other")
    world.declare("y", "t<-crm.purge")
    assert world.problems == ["not_a_consumer"]


def test_run_in_flight_is_not_touched_by_narrowing() -> None:
    world = a_crm()
    world.declare("z", "z.t<-crm.purge")
    world.invoke("z.t")
    world.declare("crm", "crm.purge", **{"crm.purge": {**CUSTOMER, "consumers": []}})
    world.reach("crm.purge", "completed")
    assert world.sent == [("crm.purge", 1), ("z.t", 1)]


def test_upstream_that_is_declared_later_closes_its_edge() -> None:
    world = World(Reactions())
    world.declare("z", "z.t<-crm.purge")
    world.declare("crm", "crm.purge", **{"crm.purge": {"consumers": []}})
    world.invoke("z.t")
    assert world.problems == ["not_a_consumer"]


@pytest.mark.parametrize(
    ("source", "invokers", "problems"),
    [
        (server_source("z"), None, []),
        (server_source("z"), ["z"], []),
        (server_source("z"), [], ["not_an_invoker"]),
        (server_source("z"), ["billing", "client.z"], ["not_an_invoker"]),
        (server_source("crm"), [], []),
        (f"{CLIENT}.ci", ["client.ci"], []),
        (f"{CLIENT}.ci", ["z"], ["not_an_invoker"]),
        (CLIENT, [], []),
        (SCHEDULER, [], []),
    ],
)
def test_invocation_is_refused_unless_its_sender_is_an_invoker(
    source: str, invokers: list[str] | None, problems: list[str]
) -> None:
    world = a_crm(invokers=invokers)
    world.invoke("crm.purge", source=source)
    assert world.problems == problems
    assert bool(world.sent) is not bool(problems)


def test_refused_invocation_names_both_sides() -> None:
    world = a_crm(invokers=["billing", "client.ci"])
    world.invoke("crm.purge", source=server_source("z"))
    ((_, message),) = refused(world)
    assert message == (
        'z may not invoke "crm.purge" of crm, whose invokers are billing, client.ci: '
        "ask crm to add z"
    )


def test_downstream_owner_gets_a_notice_of_a_deprecated_task() -> None:
    world = a_crm(deprecated="use crm.erase", until="2027-03-01")
    world.declare("z", "z.t<-crm.purge", **{"z.t": {"owner": "team-z"}})
    accepted = [message for message in world.published if isinstance(message, DeclarationAccepted)]
    (notice,) = accepted[-1].notices
    assert (notice.code, notice.task, notice.owner) == ("deprecated", "z.t", "team-z")
    assert notice.message == (
        "z.t (team-z) needs crm.purge (crm), which is deprecated until 2027-03-01: use crm.erase"
    )
