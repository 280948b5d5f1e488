"""Rule 21: what a task returns and what another expects of it (docs/rules.md, rule 21)."""

from typing import Any, Final

import pytest

from cerebro.core.declaration.diff import rehearsal
from cerebro.handlers import queries
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.notices import Notice
from cordyna_core.contract.state_updates import DeclarationAccepted, DeclarationRejected
from world.declarations import declared, graph_of
from world.reactions import Reactions
from world.scenarios import ReactionWorld
from world.world import World

ROWS: Final = {
    "type": "object",
    "properties": {"rows": {"type": "integer"}},
    "required": ["rows"],
    "additionalProperties": False,
}
LINES: Final = {
    "type": "object",
    "properties": {"lines": {"type": "integer"}},
    "required": ["lines"],
    "additionalProperties": False,
}


EXPECTED: Final = {"type": "object", "properties": ROWS["properties"], "required": ["rows"]}


def producer(schema: dict[str, Any] | None) -> ServerDeclared:
    fields = {"owner": "team-a"} | ({"output_schema": schema} if schema is not None else {})
    return declared("a", "clean", clean=fields)


def consumer(expects: dict[str, Any], *, strict: bool = False) -> ServerDeclared:
    edge = {"task": "clean", "expects": expects, "strict": strict}
    return declared("b", "report", report={"owner": "team-b", "upstream": [edge]})


def notices_of(accepted: list[ServerDeclared], *news: ServerDeclared) -> list[Notice]:
    return rehearsal(graph_of(*accepted), news).notices


def a_world(*declarations: ServerDeclared) -> ReactionWorld:
    world = World(Reactions())
    for one in declarations:
        world.publish(one, f"cordyna.server.{one.server}")
    return world


BREAK: Final = 'report (team-b): output of clean breaks it: "rows" is gone'


def test_rehearsal_of_the_producer_shows_the_break() -> None:
    (notice,) = notices_of([producer(ROWS), consumer(EXPECTED)], producer(LINES))
    assert (notice.code, notice.message) == ("breaks", BREAK)
    assert (notice.owner, notice.upstream_owner) == ("team-b", "team-a")
    assert notice.reasons == ['"rows" is gone']


def test_rehearsal_of_the_consumer_shows_the_break() -> None:
    (notice,) = notices_of([producer(LINES)], consumer(EXPECTED))
    assert (notice.code, notice.message) == ("breaks", BREAK)


def test_rehearsal_of_both_sides_shows_a_break_once() -> None:
    (notice,) = notices_of([producer(ROWS)], producer(LINES), consumer(EXPECTED))
    assert notice.code == "breaks"


def test_producer_that_drops_its_type_gets_a_notice() -> None:
    """The owner of an upstream reads of each edge, also of one that expects what is not declared.

    1. `clean` declares what it returns, and `report` expects that: there is nothing to say.
    2. `clean` is declared again without a type: what `report` expects cannot be compared any more.
    """
    (notice,) = notices_of([producer(ROWS), consumer(EXPECTED)], producer(None))
    assert (notice.code, notice.task) == ("cannot_tell", "report")


def test_rehearsal_of_compatible_types_shows_nothing() -> None:
    assert notices_of([producer(ROWS)], consumer(EXPECTED)) == []


def test_rehearsal_of_an_untyped_producer_cannot_tell() -> None:
    (notice,) = notices_of([producer(ROWS), consumer(EXPECTED)], producer(None), consumer(EXPECTED))
    assert notice.code == "cannot_tell"
    assert "it does not declare what it returns" in notice.message


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("schema", [{"type": 5}, {"properties": []}, {"minimum": "a"}])
def test_what_is_no_schema_is_a_problem_of_its_author(schema: Any, *, strict: bool) -> None:
    view = rehearsal(graph_of(producer(ROWS)), [consumer(schema, strict=strict)])
    assert {problem.code for problem in view.problems} == {"bad_schema"}
    assert "what it expects of" in view.problems[0].message
    assert [notice.code for notice in view.notices] == ["cannot_tell"]

    view = rehearsal(graph_of(consumer(EXPECTED, strict=strict)), [producer(schema)])
    assert {problem.code for problem in view.problems} == {"bad_schema"}


def test_output_schema_that_is_none_is_rejected() -> None:
    world = a_world(producer({"properties": []}))
    assert world.problems == ["bad_schema"]


def test_breaking_declaration_is_accepted_with_a_notice_to_both() -> None:
    world = a_world(producer(ROWS), consumer(EXPECTED), producer(LINES))
    accepted = [message for message in world.published if isinstance(message, DeclarationAccepted)]
    assert [[notice.message for notice in one.notices] for one in accepted] == [[], [], [BREAK]]

    tasks = {info.task: info for info in queries.tasks(world.store, world.now)}
    assert [notice.message for notice in tasks["clean"].notices] == [BREAK]
    assert [notice.message for notice in tasks["report"].notices] == [BREAK]
    assert tasks["clean"].output_schema == LINES
    assert tasks["report"].expects == {"clean": EXPECTED}


def test_break_of_a_strict_edge_rejects_the_producer() -> None:
    world = a_world(producer(ROWS), consumer(EXPECTED, strict=True), producer(LINES))
    (rejected,) = [one for one in world.published if isinstance(one, DeclarationRejected)]
    assert rejected.server == "a"
    (problem,) = rejected.problems
    assert (problem.code, problem.path) == ("breaks_consumer", ["report", "clean"])
    assert problem.message.startswith(f"{BREAK}, and its edge is strict: ")
    assert queries.tasks(world.store, world.now)[0].output_schema == ROWS


def test_strict_edge_that_breaks_rejects_the_consumer() -> None:
    world = a_world(producer(LINES), consumer(EXPECTED, strict=True))
    (rejected,) = [one for one in world.published if isinstance(one, DeclarationRejected)]
    assert (rejected.server, world.problems) == ("b", ["breaks_consumer"])


def test_strict_edge_accepts_what_cannot_be_told() -> None:
    world = a_world(producer(ROWS), consumer(EXPECTED, strict=True), producer(None))
    assert world.problems == []


def test_result_of_another_type_is_not_reused() -> None:
    one, other = graph_of(producer(ROWS)), graph_of(producer(LINES))
    assert one.version_of_task("clean") != other.version_of_task("clean")
