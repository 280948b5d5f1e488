"""What is called compatible is read: every pair of types that a body may write and another read."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import pytest
from pydantic import AnyUrl, AwareDatetime, Field, HttpUrl

from cerebro.core.validation.compatibility import compare_texts
from cordyna_core import TaskServer, upstream
from cordyna_core.contract.declaration import TaskDeclaration
from server.test_typed_values import BY_KIND, NOON, VALUES, Cat, Color, Dog, Level

MORE: Final[list[tuple[Any, Any]]] = [
    (str, "x"),
    (float, 1.5),
    (bool, True),
    (dict[int, str], {7: "a"}),
    (dict[str, str], {"x": "a"}),
    (dict[Color, Level], {Color.RED: Level.HIGH}),
    (Annotated[Decimal, Field(ge=5)], Decimal(7)),
    (Annotated[Decimal, Field(max_digits=3, decimal_places=1)], Decimal("1.5")),
    (AwareDatetime, NOON),
    (HttpUrl, HttpUrl("https://example.com/")),
    (AnyUrl, AnyUrl("ftp://example.com/")),
    (Annotated[str, Field(min_length=2, max_length=3)], "ab"),
]
CASES: Final = [*VALUES, *MORE]


class Side:
    """A type as a body returns it, and as another takes it."""

    def __init__(self, kind: Any, value: Any) -> None:
        self.server = TaskServer("s")
        self.value = value

        def take(made: Any) -> None:
            del made

        take.__annotations__["made"] = Annotated[kind, upstream()]
        self.server.task(name="make", output_type=kind)(lambda: value)
        self.server.task(name="take")(take)
        self.kind = kind

    def task(self, name: str) -> TaskDeclaration:
        return next(task for task in self.server.declaration.tasks if task.name == name)

    @property
    def expects(self) -> dict[str, Any] | None:
        edge = self.task("take").expecting.get("made")
        return None if edge is None else edge.expects


SIDES: Final = [Side(kind, value) for kind, value in CASES]


def verdict(producer: Side, consumer: Side) -> str:
    if consumer.expects is None:
        return "compatible"
    produced = producer.task("make").output_schema
    text = None if produced is None else json.dumps(produced)
    return compare_texts(text, json.dumps(consumer.expects)).kind


@pytest.mark.parametrize("consumer", SIDES, ids=lambda side: str(side.kind)[:40])
def test_compatible_output_is_read(consumer: Side) -> None:
    for producer in SIDES:
        if verdict(producer, consumer) == "compatible":
            output = producer.server.test_run("make").output
            result = consumer.server.test_run("take", upstream={"made": output})
            assert result.state == "completed", (producer.kind, result.error)


@pytest.mark.parametrize("side", SIDES, ids=lambda side: str(side.kind)[:40])
def test_type_suits_itself(side: Side) -> None:
    """Keys that are definitions, and alternatives by `oneOf`, are not compared."""
    is_compared = side.kind not in (dict[Color, Level], Annotated[Cat | Dog, BY_KIND])
    assert verdict(side, side) == ("compatible" if is_compared else "cannot_tell")


@pytest.mark.parametrize(
    ("produced", "expected"),
    [
        (str, Decimal),
        (dict[str, str], dict[int, str]),
        (Decimal, Annotated[Decimal, Field(ge=5)]),
        (datetime, AwareDatetime),
        (AnyUrl, HttpUrl),
    ],
)
def test_what_a_text_holds_is_not_known(produced: Any, expected: Any) -> None:
    """JSON Schema says of both that they are texts."""
    assert verdict(Side(produced, None), Side(expected, None)) == "cannot_tell"
