"""Typed edges: a parameter that takes the output of an upstream, and a return type that is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, computed_field, field_serializer, model_serializer
from typing_extensions import TypedDict

from cordyna_core import Context, TaskServer, UserError, fresh, upstream
from cordyna_core.contract.declaration import Upstream
from cordyna_core.server.result import TaskResult


class Clean(BaseModel):
    rows: int = Field(ge=0)
    day: date | None = None


class Counts(TypedDict):
    rows: int


@dataclass
class Point:
    x: int


def task_of(server: TaskServer, name: str) -> dict[str, Any]:
    declared = server.declaration.model_dump(mode="json", exclude_defaults=True)
    return next(task for task in declared["tasks"] if task["name"] == name)


def failed(result: TaskResult) -> tuple[str, str]:
    assert result.error is not None
    assert result.reason == "failed_terminal"
    return result.error.type, result.error.message


def test_parameter_declares_the_edge_with_its_type() -> None:
    server = TaskServer("b")

    @server.task
    def report(clean: Annotated[Clean, upstream()], day: str = "today", *, ctx: Context) -> None:
        del clean, day, ctx

    declared = task_of(server, "report")
    assert declared["upstream"] == [
        {
            "task": "clean",
            "expects": {
                "type": "object",
                "properties": {
                    "rows": {"type": "integer", "minimum": 0},
                    "day": {
                        "anyOf": [{"type": "string", "format": "date"}, {"type": "null"}],
                        "default": None,
                    },
                },
                "required": ["rows"],
            },
        }
    ]
    assert list(declared["params_schema"]["properties"]) == ["day"]
    assert server.declaration.contract == "2"


def test_edge_may_be_named_fresh_and_strict_beside_plain_ones() -> None:
    server = TaskServer("b")

    @server.task(upstream=["raw", fresh("rates", within="6h")])
    def report(
        clean: Annotated[Clean, upstream("team.clean", within="1h", strict=True)],
        raw_orders: Annotated[Any, upstream()],
    ) -> None:
        del clean, raw_orders

    raw, rates, clean, orders = server.declaration.tasks[0].upstream
    assert (raw, orders) == ("raw", "raw-orders")
    assert isinstance(rates, Upstream)
    assert isinstance(clean, Upstream)
    assert (clean.task, clean.within_s, clean.strict) == ("team.clean", 3600, True)


def test_body_is_given_the_validated_value() -> None:
    server = TaskServer("b")

    @server.task(upstream=["raw"])
    def report(clean: Annotated[Clean, upstream()], factor: int, *, ctx: Context) -> Any:
        return [clean.rows * factor, clean.day, ctx.upstream["raw"]]

    result = server.test_run(
        "report", upstream={"clean": {"rows": 3, "day": "2026-01-02"}, "raw": "r"}, factor=2
    )
    assert result.output == [6, "2026-01-02", "r"]


def test_test_run_takes_models_as_outputs_of_upstreams() -> None:
    server = TaskServer("b")

    @server.task
    def report(clean: Annotated[Clean, upstream()]) -> int:
        return clean.rows

    assert server.test_run("report", upstream={"clean": Clean(rows=3)}).output == 3


def test_output_of_another_type_fails_before_the_body() -> None:
    server = TaskServer("b")

    @server.task
    def report(clean: Annotated[Clean, upstream()]) -> None:
        raise AssertionError(clean)

    result = server.test_run("report", upstream={"clean": {"rows": "many"}})
    kind, message = failed(result)
    assert kind == "UpstreamMismatch"
    assert message.startswith(
        'the output of "clean" does not fit the parameter "clean": rows: Input should be'
    )
    assert [type(event).__name__ for event in result.events] == ["TaskStateChanged"]


def test_output_that_was_not_sent_is_missing() -> None:
    server = TaskServer("b")

    @server.task
    def report(clean: Annotated[Clean, upstream()]) -> None:
        del clean

    kind, message = failed(server.test_run("report"))
    assert kind == "MissingUpstream"
    assert 'server.test_run("report", upstream={"clean": ...})' in message


def test_return_type_is_declared_and_closed() -> None:
    server = TaskServer("a")

    @server.task
    def clean() -> Clean:
        return Clean(rows=3)

    schema = task_of(server, "clean")["output_schema"]
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["rows", "day"]
    assert server.test_run("clean").output == {"rows": 3, "day": None}


@pytest.mark.parametrize(
    ("returned", "output"),
    [
        ({"rows": 3}, {"rows": 3, "day": None}),
        ({"rows": "3", "more": 1}, {"rows": 3, "day": None}),
        (Clean(rows=1, day=date(2026, 1, 2)), {"rows": 1, "day": "2026-01-02"}),
    ],
)
def test_output_is_written_as_its_type(returned: Any, output: Any) -> None:
    server = TaskServer("a")

    @server.task
    def clean() -> Clean:
        return returned  # type: ignore[no-any-return]

    assert server.test_run("clean").output == output


def changed(rows: Any) -> Clean:
    clean = Clean(rows=1)
    clean.rows = rows
    return clean


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "Input should be a valid dictionary or instance of Clean"),
        ({}, "rows: Field required"),
        ({"rows": -1}, "rows: Input should be greater than or equal to 0"),
        (changed(-1), "rows: -1 is less than 0"),
        (changed("many"), "Expected `int`"),
    ],
)
def test_output_that_breaks_its_type_is_never_completed(returned: Any, message: str) -> None:
    server = TaskServer("a")

    @server.task(retries=3)
    def clean() -> Clean:
        return returned  # type: ignore[no-any-return]

    kind, text = failed(server.test_run("clean"))
    assert kind == "OutputMismatch"
    assert text.startswith("the output is not what the task declares to return: ")
    assert message in text


def test_types_with_fields_are_declared_wherever_they_occur() -> None:
    server = TaskServer("a")
    for number, kind in enumerate((list[Clean], Clean | None, dict[str, Point], Counts, Point)):

        def body() -> Any: ...

        body.__annotations__["return"] = kind
        server.task(name=f"t{number}")(body)
    assert all(task.output_schema for task in server.declaration.tasks)


def test_plain_annotations_declare_nothing() -> None:
    server = TaskServer("a")
    for number, kind in enumerate((int, dict, list[int], dict[str, Any], Any, None, "Unknown")):

        def body() -> Any: ...

        body.__annotations__["return"] = kind
        server.task(name=f"t{number}")(body)
    assert [task.output_schema for task in server.declaration.tasks] == [None] * 7
    assert server.declaration.contract == "1"


def test_output_type_is_declared_beside_the_function() -> None:
    server = TaskServer("a")
    server.task(name="count", output_type=int)(lambda: "many")
    server.task(name="clean", output_type=Any)(lambda: "anything")

    assert task_of(server, "count")["output_schema"] == {"type": "integer"}
    assert "output_schema" not in task_of(server, "clean")
    assert failed(server.test_run("count"))[0] == "OutputMismatch"
    assert server.test_run("clean").output == "anything"


def test_computed_and_serialized_fields_are_part_of_the_output() -> None:
    class Table(BaseModel):
        rows: int

        @computed_field  # type: ignore[prop-decorator]
        @property
        def twice(self) -> int:
            return self.rows * 2

        @field_serializer("rows")
        def as_text(self, rows: int) -> str:
            return f"{rows} rows"

    server = TaskServer("a")
    server.task(name="table", output_type=Table)(lambda: Table(rows=2))
    assert server.test_run("table").output == {"rows": "2 rows", "twice": 4}


class Node(BaseModel):
    next: "Node | None" = None


def test_output_too_deep_to_check_is_the_models_word() -> None:
    chain = Node()
    for _ in range(90):
        chain = Node(next=chain)
    server = TaskServer("a")
    server.task(name="x", output_type=Node)(lambda: chain)
    assert server.test_run("x").state == "completed"


def test_async_body_is_checked_too() -> None:
    server = TaskServer("a")

    @server.task
    async def clean() -> Clean:
        return changed("many")

    assert failed(server.test_run("clean"))[0] == "OutputMismatch"


def test_type_without_json_schema_is_refused_where_it_is_written() -> None:
    server = TaskServer("a")
    with pytest.raises(UserError, match="its output has a type that cannot come from JSON"):
        server.task(name="x", output_type=object().__class__.__subclasses__)(lambda: None)
    with pytest.raises(UserError, match="x has a type without a JSON Schema"):

        @server.task
        def y(x: Annotated[Callable[[], int], upstream()]) -> None:
            del x


def test_annotation_that_is_no_json_schema_promises_nothing() -> None:
    class Lazy(BaseModel):
        load: Callable[[], int]

    server = TaskServer("a")

    @server.task
    def x() -> Lazy:
        return None  # type: ignore[return-value]

    assert server.declaration.tasks[0].output_schema is None
    assert server.test_run("x").output is None


def test_model_that_writes_itself_is_left_as_it_says() -> None:
    class Sparse(BaseModel):
        rows: int = 0

        @model_serializer(mode="wrap")
        def without_zeros(self, write: Any) -> Any:
            return {name: value for name, value in write(self).items() if value}

    server = TaskServer("a")
    server.task(name="x", output_type=Sparse)(Sparse)
    assert server.test_run("x").output == {}


def test_upstream_written_wrongly_is_refused() -> None:
    server = TaskServer("a")
    with pytest.raises(UserError, match=r"the default of clean is upstream\(\)"):

        @server.task
        def one(clean: Any = upstream()) -> None:  # noqa: B008  the mistake of this test
            del clean

    with pytest.raises(UserError, match="is the output of an upstream and has a default"):

        @server.task
        def two(clean: Annotated[Clean | None, upstream()] = None) -> None:
            del clean

    with pytest.raises(UserError, match="is strict and takes any value"):

        @server.task
        def three(clean: Annotated[Any, upstream(strict=True)]) -> None:
            del clean

    with pytest.raises(UserError, match="names an upstream twice: clean"):

        @server.task(upstream=["clean"])
        def four(clean: Annotated[Clean, upstream()]) -> None:
            del clean

    with pytest.raises(UserError, match="cannot be the name of a task"):
        upstream("no name")
    with pytest.raises(UserError, match="is not a duration"):
        upstream("clean", within="soon")
