"""A value of any type passes from one body to another, and a marker is where it is seen."""

import enum
import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from typing_extensions import TypedDict

from cordyna_core import TaskServer, UserError, upstream
from cordyna_core.testing import run_graph

T = TypeVar("T")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Inner(BaseModel):
    when: datetime
    amount: Decimal
    color: Color


class Outer(BaseModel):
    inner: Inner
    items: list[Inner] = []
    maybe: int | None = None


class Box(BaseModel, Generic[T]):
    value: T


class Node(BaseModel):
    name: str
    children: "list[Node]" = []


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    row_count: int = Field(alias="rowCount")
    below: "Aliased | None" = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    age: int


@dataclass
class Span:
    days: int
    length: timedelta


class Point(NamedTuple):
    x: int
    name: str


class Counts(TypedDict, total=False):
    rows: int


BY_KIND: Any = Field(discriminator="kind")
INNER = Inner(when=NOON, amount=Decimal("1.10"), color=Color.RED)
VALUES: list[tuple[Any, Any]] = [
    (int | None, None),
    (int | None, 3),
    (int | str | list[int], "x"),
    (Outer, Outer(inner=INNER, items=[INNER])),
    (Color, Color.RED),
    (Level, Level.HIGH),
    (Decimal, Decimal("12345678901234567890.123456789")),
    (datetime, NOON),
    (datetime, NOON.replace(tzinfo=None)),
    (date, date(2026, 1, 1)),
    (time, time(1, 2, 3)),
    (timedelta, timedelta(hours=30)),
    (UUID, UUID(int=1)),
    (Path, Path("/a/b")),
    (bytes, b"abc"),
    (Box[int], Box[int](value=1)),
    (Box[list[datetime]], Box[list[datetime]](value=[NOON])),
    (Node, Node(name="a", children=[Node(name="b")])),
    (Aliased, Aliased(row_count=1, below=Aliased(row_count=2))),
    (list[Aliased], [Aliased(row_count=1)]),
    (Annotated[Cat | Dog, BY_KIND], Dog(kind="dog", age=3)),
    (Span, Span(1, timedelta(seconds=3))),
    (Point, Point(1, "b")),
    (Counts, {"rows": 1}),
    (Counts, {}),
    (tuple[int, str], (1, "a")),
    (tuple[Node, ...], (Node(name="a"),)),
    (frozenset[str], frozenset({"a"})),
    (dict[date, int], {date(2026, 1, 1): 1}),
    (Annotated[int, Field(gt=0, multiple_of=2)], 4),
    (int, 10**30),
    (Any, {"a": [1, None]}),
]


def ids(value: Any) -> str:
    return str(value)[:40]


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=ids)
def test_value_arrives_as_it_was_returned(kind: Any, value: Any) -> None:
    """The same type on both sides, of two servers: whatever it is, nothing of it changes."""
    a, b = TaskServer("a"), TaskServer("b")
    received: list[Any] = []

    def make() -> Any:
        return value

    def take(made: Any) -> None:
        received.append(made)

    make.__annotations__["return"] = kind
    take.__annotations__["made"] = Annotated[kind, upstream("make", strict=kind is not Any)]
    a.task(name="make")(make)
    b.task(name="take")(take)

    run = run_graph([a, b], "take")
    assert (run.states, received) == ({"make": "completed", "take": "completed"}, [value])


def test_alias_is_the_name_on_the_wire_with_and_without_a_type() -> None:
    a = TaskServer("a")

    @a.task
    def typed() -> Aliased:
        return Aliased(row_count=1)

    @a.task
    def untyped() -> Any:
        return Aliased(row_count=1)

    output = {"rowCount": 1, "below": None}
    assert a.test_run("typed").output == output
    assert a.test_run("untyped").output == output


class Rows(BaseModel):
    rows: int


def inside_of_a_type(clean: Annotated[Rows, upstream()] | None) -> None:
    del clean


def inside_of_a_list(clean: list[Annotated[Rows, upstream()]]) -> None:
    del clean


def twice(clean: Annotated[Rows, upstream(), upstream("other")]) -> None:
    del clean


def not_called(clean: Annotated[Rows, upstream]) -> None:
    del clean


@pytest.mark.parametrize(
    "function", [inside_of_a_type, inside_of_a_list, twice, not_called], ids=lambda f: f.__name__
)
def test_marker_that_would_be_overlooked_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match="clean is not marked as the output of one") as refused:
        TaskServer("b").task(name="use")(function)
    assert refused.value.next == "write clean: Annotated[<the whole type>, upstream()]"


def test_context_is_no_upstream() -> None:
    def use(ctx: Annotated[Rows, upstream("clean")]) -> None:
        del ctx

    with pytest.raises(UserError, match="ctx is the context of a body, and no upstream") as refused:
        TaskServer("b").task(name="use")(use)
    assert refused.value.next == 'rename it: <name>: Annotated[<type>, upstream("clean")]'


def test_output_is_no_secret() -> None:
    def use(token: Annotated[dict[str, SecretStr], upstream()]) -> None:
        del token

    with pytest.raises(UserError, match="token is a secret that comes from an upstream"):
        TaskServer("b").task(name="use")(use)


def fail(value: int) -> int:
    raise RuntimeError(f"cannot look up {value}")


def of_a_param(value: Annotated[int, AfterValidator(fail)]) -> None:
    del value


def of_an_upstream(rows: Annotated[int, AfterValidator(fail), upstream()]) -> None:
    del rows


@pytest.mark.parametrize("body", [of_a_param, of_an_upstream])
def test_validator_that_raises_fails_the_attempt(body: Callable[..., Any]) -> None:
    """It is code of the user's, as the body is: it may raise anything."""
    server = TaskServer("b")
    server.task(name="use")(body)
    is_param = body is of_a_param
    result = server.test_run(
        "use", upstream={} if is_param else {"rows": 5}, **({"value": 5} if is_param else {})
    )
    assert (result.state, result.reason) == ("error", "failed")
    assert result.error is not None
    assert (result.error.type, result.error.message) == ("RuntimeError", "cannot look up 5")


def test_wrong_name_in_an_annotation_says_only_that() -> None:
    """As text (`from __future__ import annotations`), it is read when the task is declared."""

    def use(clean: "Annotated[Rows, upstream('cle*')]") -> None:
        del clean

    with pytest.raises(UserError) as refused:
        TaskServer("b").task(name="use")(use)
    assert refused.value.what == "task \"use\": 'cle*' cannot be the name of a task"
    assert "TYPE_CHECKING" not in refused.value.next


class TakesRows:
    """A body that is an object."""

    def __call__(self, clean: "Annotated[Rows, upstream()]") -> "Rows":
        return clean


@pytest.mark.parametrize("body", [TakesRows(), functools.partial(TakesRows())])
def test_annotations_of_an_object_are_read_in_its_module(body: Callable[..., Any]) -> None:
    server = TaskServer("b")
    server.task(name="use")(body)
    (declared,) = server.declaration.tasks
    assert declared.upstream_names == ("clean",)
    assert declared.output_schema is not None
    assert server.test_run("use", upstream={"clean": {"rows": 1}}).output == {"rows": 1}
