"""dyna consumers, and what plan, describe and doctor say about edges between teams."""

from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest

from cli.fake_engine import FakeEngine
from cli.fake_operations import CloudEngine
from cli.run_dyna import dyna
from cordyna_cli.wording.schemas import schema_words
from cordyna_core.contract.notices import Notice, NoticeCode
from cordyna_core.contract.views.graph import TaskInfo
from cordyna_core.contract.views.rehearsal import (
    DeclarationView,
    Difference,
    RehearsalView,
    TaskChange,
    TouchedTask,
)


def notice_of(task: str, code: NoticeCode, message: str) -> Notice:
    return Notice(
        code=code,
        task=task,
        server="b",
        owner="team-b",
        upstream="orders",
        upstream_server="a",
        upstream_owner="team-a",
        message=message,
    )


CLOSED: Final = notice_of("page", "not_allowed", "page (team-c) is not among the consumers")
OLD: Final = notice_of("report", "deprecated", "report (team-b) needs orders, which is deprecated")
TASKS: Final = [
    TaskInfo(
        task="orders",
        server="a",
        upstream=[],
        owner="team-a",
        consumers=["b", "reporting.*"],
        invokers=[],
        deprecated="use orders-v2",
        until=date(2027, 3, 1),
        notices=[CLOSED, OLD],
    ),
    TaskInfo(task="report", server="b", upstream=["orders"], owner="team-b", notices=[OLD]),
    TaskInfo(task="page", server="c", upstream=["orders"], notices=[CLOSED]),
]


def test_consumers_lists_who_may_use_a_task_and_who_does() -> None:
    result = dyna("consumers", "orders", engine=FakeEngine(declared=TASKS))

    assert result.out.splitlines() == [
        "orders on a  owner team-a",
        "  consumers   b, reporting.*",
        "  invokers    its own server only",
        "  deprecated  until 2027-03-01: use orders-v2",
        "",
        "   used by  server  owner",
        "✓  report   b       team-b  to be moved away",
        "✗  page     c               not among the consumers",
    ]


def test_consumers_of_open_unused_task_says_so() -> None:
    result = dyna("consumers", "page", engine=FakeEngine(declared=TASKS))

    assert result.out.splitlines() == [
        "page on c",
        "  consumers   all",
        "  invokers    all",
        "",
        "no task needs it",
    ]


def test_consumers_json_has_the_notices_of_each_edge() -> None:
    result = dyna("consumers", "orders", "--json", engine=FakeEngine(declared=TASKS))

    assert (result.json["consumers"], result.json["until"]) == (["b", "reporting.*"], "2027-03-01")
    assert [
        (user["task"], [notice["code"] for notice in user["notices"]])
        for user in result.json["used_by"]
    ] == [("report", ["deprecated"]), ("page", ["not_allowed"])]


def test_consumers_of_unknown_task_suggests_near_names() -> None:
    result = dyna("consumers", "order", engine=FakeEngine(declared=TASKS))

    assert result.status == 3
    assert "did you mean orders?" in result.err


def test_describe_shows_who_may_use_a_task_and_its_notices() -> None:
    lines = dyna("describe", "orders", engine=FakeEngine(declared=TASKS)).out.splitlines()

    assert "  consumers   b, reporting.*" in lines
    assert "  invokers    its own server only" in lines
    assert "  deprecated  until 2027-03-01: use orders-v2" in lines
    assert "  notice      page (team-c) is not among the consumers" in lines


ROWS: Final = {
    "type": "object",
    "properties": {
        "rows": {"type": "integer"},
        "day": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "kinds": {"type": "array", "items": {"$ref": "#/$defs/Kind"}},
    },
    "required": ["rows"],
    "$defs": {"Kind": {"enum": ["a", 1]}},
}


def test_describe_shows_both_sides_of_typed_edges() -> None:
    tasks = [
        TaskInfo(task="orders", server="a", upstream=[], output_schema=ROWS),
        TaskInfo(
            task="report",
            server="b",
            upstream=["orders"],
            expects={"orders": {"type": "object", "additionalProperties": False}},
            strict=["orders"],
        ),
    ]
    produced = dyna("describe", "orders", engine=FakeEngine(declared=tasks)).out
    expected = dyna("describe", "report", engine=FakeEngine(declared=tasks)).out

    words = '{rows: integer, day?: string (date) or null, kinds?: ["a" or 1]}'
    assert f"  returns     {words}" in produced.splitlines()
    assert "  expects     orders: object (strict)" in expected.splitlines()


def test_describe_shows_a_retry_policy_of_its_own() -> None:
    info = TaskInfo(
        task="x",
        server="a",
        upstream=[],
        retries=3,
        retry_delay_s=30,
        retry_backoff=1.5,
        retry_jitter=False,
    )
    lines = dyna("describe", "x", engine=FakeEngine(declared=[info])).out.splitlines()
    assert "  retries     3, after 30.0 s, times 1.5 up to 10 m 00 s, without jitter" in lines


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (True, "any"),
        (False, "nothing"),
        ({}, "any"),
        ({"const": None}, "null"),
        ({"$ref": "#/$defs/gone"}, "any"),
        ({"type": ["string", "null"]}, "string or null"),
        ({"type": "array", "items": False}, "[nothing]"),
        ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}, "[[[[[...]]]]]"),
    ],
)
def test_schema_is_written_as_a_type(schema: Any, words: str) -> None:
    assert schema_words(schema) == words


def test_schema_with_many_fields_is_cut() -> None:
    properties = {f"n{number}": {"type": "integer"} for number in range(30)}
    words = schema_words({"properties": properties, "required": list(properties)})
    assert words.endswith("n19: integer, ...}")


@pytest.mark.parametrize(
    ("code", "status"), [("breaks", 1), ("not_allowed", 1), ("cannot_tell", 0), ("deprecated", 0)]
)
def test_plan_strict_fails_where_a_task_breaks(
    code: NoticeCode, status: int, tmp_path: Path
) -> None:
    declaration = tmp_path / "a.json"
    declaration.write_text('{"server": "a", "tasks": []}')
    message = 'report (team-b): output of clean breaks it: "rows" is gone'
    view = RehearsalView(
        generation=1,
        declarations=[DeclarationView(server="a", outcome="accepted")],
        notices=[notice_of("report", code, message)],
    )
    plan = ("plan", "--declare", str(declaration))

    strict = dyna(*plan, "--strict", engine=FakeEngine(rehearsed=view))
    refused = "error: the declaration would break report, which --strict refuses." in strict.err
    assert (strict.status, refused) == (status, status == 1)
    silent = dyna(*plan, "--strict", "--json", engine=FakeEngine(rehearsed=view))
    assert (silent.status, silent.err) == (status, "")
    loose = dyna(*plan, engine=FakeEngine(rehearsed=view))
    assert (loose.status, message in loose.out) == (0, True)


def test_rehearsal_shows_changed_types_of_an_edge(tmp_path: Path) -> None:
    declaration = tmp_path / "b.json"
    declaration.write_text('{"server": "b", "tasks": []}')
    edge = {"task": "orders", "within_s": None, "expects": ROWS, "strict": True}
    change = TaskChange(
        task="report",
        server="b",
        change="changed",
        fields=[Difference(what="upstream", before=["orders"], after=[edge])],
    )
    view = RehearsalView(generation=1, tasks=[change])
    out = dyna("plan", "--declare", str(declaration), engine=FakeEngine(rehearsed=view)).out

    assert "upstream -orders and +orders (expects {rows: integer," in " ".join(out.split())


def test_rehearsal_shows_changed_outputs_as_types(tmp_path: Path) -> None:
    declaration = tmp_path / "a.json"
    declaration.write_text('{"server": "a", "tasks": []}')
    change = TaskChange(
        task="orders",
        server="a",
        change="changed",
        fields=[Difference(what="output_schema", before=None, after=ROWS)],
    )
    view = RehearsalView(generation=1, tasks=[change])
    out = dyna("plan", "--declare", str(declaration), engine=FakeEngine(rehearsed=view)).out

    assert "output nothing -> {rows: integer, day?: string (date) or null" in out


def test_doctor_of_a_deprecated_upstream_exits_with_0() -> None:
    """It refuses nothing for months, and must not fail the health check of all teams."""
    deprecated = Notice(
        code="deprecated",
        task="report",
        server="b",
        upstream="orders",
        upstream_server="a",
        message="report (team-b) needs orders (team-a), which is deprecated: use lines",
    )
    tasks = [
        TaskInfo(task="orders", server="a", upstream=[]),
        TaskInfo(task="report", server="b", upstream=["orders"], notices=[deprecated]),
    ]
    result = dyna("doctor", engine=CloudEngine(declared=tasks))
    assert "·  edges      report (team-b) needs orders" in result.out
    assert (result.status, result.err) == (0, "  next: dyna consumers orders\n")


def test_doctor_finds_each_noticed_edge_once() -> None:
    engine = CloudEngine(declared=TASKS)
    found = [line for line in dyna("doctor", engine=engine).out.splitlines() if "edges" in line]

    assert len(found) == 2
    assert "page (team-c) is not among the consumers" in "\n".join(found)


def test_rehearsal_shows_narrowing_and_notices(tmp_path: Path) -> None:
    declaration = tmp_path / "a.json"
    declaration.write_text('{"server": "a", "tasks": []}')
    view = RehearsalView(
        generation=1,
        declarations=[DeclarationView(server="a", outcome="accepted")],
        touched=[
            TouchedTask(task="page", server="c", effect="not_allowed", path=["page", "orders"])
        ],
        notices=[OLD, CLOSED],
    )
    result = dyna("plan", "--declare", str(declaration), engine=FakeEngine(rehearsed=view))
    lines = result.out.splitlines()

    assert "could not be invoked any more: not a consumer" in result.out
    assert lines.index("✗ page (team-c) is not among the consumers") < lines.index(
        "~ report (team-b) needs orders, which is deprecated"
    )
