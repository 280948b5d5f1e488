"""Checks of declarations: each of them finds what it is there for."""

from typing import Any, Final

import pytest

from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.reference_declarations import check_declaration
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.output_types import ROWS, TEXT
from cordyna_core.contract.base import Message, Meta, Problem
from cordyna_core.contract.commands import RemoveServer
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.incidents import GraphChanged
from cordyna_core.contract.notices import Notice
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationIgnored,
    DeclarationRejected,
    ServerRemoved,
)
from cordyna_core.contract.time import utc
from world.declarations import declared, graph_of

META: Final = Meta(id="answer", cause="event-1")


def check(
    message: ServerDeclared | RemoveServer,
    *accepted: ServerDeclared,
    led_to: tuple[Message, ...],
    is_written: bool = False,
    crons: int | None = None,
) -> None:
    """Check what a handler did with a declaration. Raises Unexpected."""
    envelope = Envelope(server_source(message.server), message, "event-1", utc(0.0))
    graph = graph_of(*accepted)
    handled = HandledInput(envelope, "event-1", graph=graph, has_written_head=is_written)
    handled.crons_applied = graph.generation + is_written if crons is None else crons
    handled.published += led_to
    check_declaration(handled, envelope)


def accepts(server: str, *notices: Notice) -> DeclarationAccepted:
    return DeclarationAccepted(meta=META, server=server, generation=1, notices=list(notices))


def rejects(server: str, *problems: tuple[str, list[str]]) -> DeclarationRejected:
    found = [Problem(code=code, message="refused", path=path) for code, path in problems]
    return DeclarationRejected(meta=META, server=server, problems=found)


def changes(server: str, *accepted: ServerDeclared, **names: list[str]) -> GraphChanged:
    generation = graph_of(*accepted).generation + 1
    return GraphChanged.model_validate({"generation": generation, "server": server, **names})


@pytest.mark.parametrize(
    ("consumers", "is_allowed"),
    [
        (None, True),
        (["z"], True),
        (["z*"], True),
        (["*"], True),
        ([], False),
        (["zz", "y*"], False),
    ],
)
def test_decision_about_an_edge_is_checked(
    consumers: list[str] | None, *, is_allowed: bool
) -> None:
    crm, z = declared("crm", "a", a={"consumers": consumers}), declared("z", "b<-a")
    accepted = (accepts("z"), changes("z", crm, added=["b"]))
    refused = (rejects("z", ("not_a_consumer", ["b", "a"])),)
    right, wrong = (accepted, refused) if is_allowed else (refused, accepted)
    check(z, crm, led_to=right, is_written=is_allowed)
    with pytest.raises(Unexpected, match="reject"):
        check(z, crm, led_to=wrong, is_written=not is_allowed)


def test_own_task_is_open_to_its_server() -> None:
    z = declared("z", "a  b<-a", a={"consumers": []})
    check(z, led_to=(accepts("z"), changes("z", added=["a", "b"])), is_written=True)


def test_sign_of_life_through_a_closed_edge_is_not_rejected() -> None:
    crm, z = declared("crm", "a", a={"consumers": []}), declared("z", "b<-a")
    with pytest.raises(Unexpected, match="was rejected for"):
        check(z, crm, z, led_to=(rejects("z", ("not_a_consumer", ["b", "a"])),))


def test_declaration_without_an_answer_is_found() -> None:
    with pytest.raises(Unexpected, match="had 0 answers"):
        check(declared("z", "b"), led_to=(), is_written=True)


@pytest.mark.parametrize(
    ("dsl", "problem"),
    [
        ("a", ("owned_by_another", ["a"])),
        ("b  b", ("duplicate_task", ["b"])),
        ("b<-a,a", ("duplicate_upstream", ["b", "a"])),
    ],
)
def test_problem_that_is_left_out_is_found(dsl: str, problem: tuple[str, list[str]]) -> None:
    x = declared("x", "a")
    check(declared("z", dsl), x, led_to=(rejects("z", problem),))
    with pytest.raises(Unexpected, match="was not rejected for"):
        check(declared("z", dsl), x, led_to=(accepts("z"),), is_written=True)
    with pytest.raises(Unexpected, match="was rejected for"):
        check(declared("z", dsl), x, led_to=(rejects("z", ("cycle", ["b", "b"])),))


def test_path_that_is_no_cycle_is_found() -> None:
    x, z = declared("x", "a<-b"), declared("z", "b<-a")
    check(z, x, led_to=(rejects("z", ("cycle", ["a", "b", "a"])),))
    for path in (["a", "b"], ["a", "a"]):
        with pytest.raises(Unexpected, match="is not a cycle"):
            check(z, x, led_to=(rejects("z", ("cycle", path)),))


def test_cron_that_needs_a_parameter_is_rejected() -> None:
    needs = {"params_schema": {"type": "object", "required": ["day"]}}
    z = declared("z", "b  c<-b", b=needs, c={"cron": "0 6 * * *"})
    check(z, led_to=(rejects("z", ("cron_needs_params", ["c", "b"])),))
    with pytest.raises(Unexpected, match="was not rejected for"):
        check(z, led_to=(accepts("z"), changes("z", added=["b", "c"])), is_written=True)


@pytest.mark.parametrize(("schema", "breaks"), [(TEXT, True), (ROWS, False), (None, False)])
def test_strict_edge_that_breaks_is_rejected(schema: Any, *, breaks: bool) -> None:
    x = declared("x", "a", a={"output_schema": schema})
    edge = {"task": "a", "expects": ROWS, "strict": True}
    z = declared("z", "b", b={"upstream": [edge]})
    refused = (rejects("z", ("breaks_consumer", ["b", "a"])),)
    if breaks:
        check(z, x, led_to=refused)
    else:
        with pytest.raises(Unexpected, match="was rejected for"):
            check(z, x, led_to=refused)


def test_notice_that_is_left_out_is_found() -> None:
    x, z = declared("x", "a", a={"deprecated": "use c"}), declared("z", "b<-a")
    notice = Notice(
        code="deprecated", task="b", server="z", upstream="a", upstream_server="x", message="old"
    )
    change = changes("z", x, added=["b"])
    check(z, x, led_to=(accepts("z", notice), change), is_written=True)
    with pytest.raises(Unexpected, match="are missing"):
        check(z, x, led_to=(accepts("z"), change), is_written=True)


@pytest.mark.parametrize("names", [{}, {"added": ["b"], "affected": ["a"]}, {"changed": ["b"]}])
def test_wrong_change_of_the_graph_is_found(names: dict[str, list[str]]) -> None:
    x, z = declared("x", "a"), declared("z", "b")
    with pytest.raises(Unexpected, match=r"were published|are affected"):
        check(z, x, led_to=(accepts("z"), changes("z", x, **names)), is_written=True)
    with pytest.raises(Unexpected, match="0 messages"):
        check(z, x, led_to=(accepts("z"),), is_written=True)


def test_change_that_another_handler_published_is_no_fault() -> None:
    """The answer of its write was lost, and it read the graph again after the other one."""
    z = declared("z", "b")
    envelope = Envelope(server_source("z"), z, "event-1", utc(0.0))
    input_ = HandledInput(envelope, "event-1", graph=graph_of(), has_written_head=True)
    input_.graph_after, input_.published = graph_of(z), [accepts("z")]
    input_.crons_applied = input_.graph_after.generation
    check_declaration(input_, envelope)


def test_affected_task_that_is_left_out_is_found() -> None:
    x, z = declared("x", "a<-b"), declared("z", "b")
    change = changes("z", x, added=["b"], affected=["a"])
    check(z, x, led_to=(accepts("z"), change), is_written=True)
    with pytest.raises(Unexpected, match="are affected by z"):
        check(z, x, led_to=(accepts("z"), changes("z", x, added=["b"])), is_written=True)


def test_older_revision_that_is_not_ignored_is_found() -> None:
    old, new = declared("z", "a", revision=1), declared("z", "b", revision=2)
    ignored = DeclarationIgnored(
        meta=META, server="z", revision=1, accepted_revision=2, generation=1
    )
    check(old, new, led_to=(ignored,))
    with pytest.raises(Unexpected, match="was answered by DeclarationAccepted"):
        check(old, new, led_to=(accepts("z"),), is_written=True)


def test_declaration_that_is_not_written_is_found() -> None:
    with pytest.raises(Unexpected, match="was decided wrongly"):
        check(declared("z", "b"), led_to=(accepts("z"),), is_written=False)


def test_removal_that_is_not_done_is_found() -> None:
    z, command = declared("z", "b", revision=2), RemoveServer(server="z", revision=2)
    removed = ServerRemoved(meta=META, server="z", generation=1)
    check(command, z, led_to=(removed, changes("z", z, removed=["b"])), is_written=True)
    with pytest.raises(Unexpected, match="was decided wrongly"):
        check(command, z, led_to=(removed,), is_written=False)
    with pytest.raises(Unexpected, match="led to ServerRemoved"):
        check(RemoveServer(server="z", revision=1), z, led_to=(removed,), is_written=True)


def test_crons_that_are_not_made_are_found() -> None:
    z = declared("z", "b")
    with pytest.raises(Unexpected, match="the crons of generation 0 were made"):
        check(z, led_to=(accepts("z"), changes("z", added=["b"])), is_written=True, crons=0)
