"""Parameters: what a signature becomes, and which params a body is called with."""

import datetime as dt
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from cordyna_core import Context, TaskServer, UserError
from server.builders import declared, refusal, result_of

AtLeastOne = Annotated[int, Field(ge=1)]


def test_parameters_schema_comes_from_the_signature() -> None:
    class Span(BaseModel):
        start: int
        end: int = 9

    def body(
        window: Span,
        top: AtLeastOne = 5,
        schema: str = "",
        _deep: Any = None,
        free: Any = 1,
        *,
        ctx: Context,
    ) -> Any:
        return [window.end, top, schema, free, ctx.task]

    schema = declared(body).params_schema
    assert schema is not None
    assert schema["required"] == ["window"]
    assert schema["properties"]["top"] == {"default": 5, "minimum": 1, "type": "integer"}
    assert list(schema["properties"]) == ["window", "top", "schema", "_deep", "free"]

    server = TaskServer("s")
    server.task(body)
    assert server.test_run("body", window={"start": 1}, top="7", schema="s").output == [
        9,
        7,
        "s",
        1,
        "body",
    ]
    assert "top: Input should be greater" in str(
        server.test_run("body", window={"start": 1}, top=0).error
    )
    assert "window: Field required" in str(server.test_run("body").error)


class Window(BaseModel):
    start: int


def wrong_type(top: int = "many") -> None:  # type: ignore[assignment]
    del top


def wrong_value(top: AtLeastOne = 0) -> None:
    del top


def wrong_below(window: Window = {"start": "soon"}) -> None:  # type: ignore[assignment]  # noqa: B006
    del window


@pytest.mark.parametrize(
    ("body", "name", "fault"),
    [
        (wrong_type, "top", "top: Input should be a valid integer, unable to parse"),
        (wrong_value, "top", "top: Input should be greater than or equal to 1; it is 0"),
        (wrong_below, "window", "window.start: Input should be a valid integer"),
    ],
)
def test_parameters_default_of_another_type_is_refused(
    body: Callable[..., Any], name: str, fault: str
) -> None:
    error = refusal(body)

    assert error.what.endswith(f"the default of {name} is not of its type")
    assert fault in error.why
    assert f"{__file__}:" in error.why


def test_parameters_default_may_be_none_or_convertible() -> None:
    def body(
        a: int = None,  # type: ignore[assignment]  # noqa: RUF013
        day: dt.date = "2026-01-31",  # type: ignore[assignment]
        free: Any = dt,
    ) -> str:
        del free
        return f"{a} {day}"

    assert result_of(body).output == "None 2026-01-31"


def test_parameters_none_has_no_schema() -> None:
    assert declared(lambda: None).params_schema is None
    assert declared(lambda *, ctx: None).params_schema is None


def test_parameters_none_refuses_params() -> None:
    error = result_of(lambda: None, day="today").error

    assert error is not None
    assert (error.type, error.message) == ("InvalidParams", "day: Extra inputs are not permitted")


def test_parameters_context_by_annotation_has_any_name() -> None:
    def body(context: Context, day: str) -> str:
        return context.task + day

    server = TaskServer("s")
    server.task(body)

    assert server.test_run("body", day="-1").output == "body-1"


def test_parameters_default_not_json_applies_unpublished() -> None:
    nothing = [object()]

    def body(number: int = 1, day: Any = nothing) -> bool:
        return day is nothing

    server = TaskServer("s")
    server.task(body)

    schema = server.declaration.tasks[0].params_schema
    assert schema is not None
    assert schema["properties"] == {"number": {"default": 1, "type": "integer"}, "day": {}}
    assert server.test_run("body").output is True
    assert server.test_run("body", number=2).output is True


@pytest.mark.parametrize(
    "function",
    [lambda *days: None, lambda **days: None, lambda days, /: None],
    ids=["star", "two stars", "positional only"],
)
def test_parameters_not_by_name_are_refused(function: Callable[..., Any]) -> None:
    refused = refusal(function)

    assert "cannot be given by name" in refused.what
    assert "test_parameters.py:" in refused.why
    assert "`days`" in refused.next


def test_declare_cron_with_required_parameter_is_refused() -> None:
    def body(day: str, top: int = 5) -> None: ...

    refused = refusal(body, cron="0 6 * * *")

    assert refused.what == 'task "x" has a cron, and a parameter without default: day'
    assert "without params" in refused.why
    assert "default" in refused.next


def test_declare_cron_with_defaults_is_accepted() -> None:
    assert declared(lambda day="today": None, cron="0 6 * * *").cron == "0 6 * * *"


def test_parameters_keys_that_become_equal_are_refused() -> None:
    def body(prices: dict[float, list[dict[dt.date, int]]]) -> int:
        return len(prices)

    same: Any = {"1": [], "1.0": []}
    below = {"1": [{"2026-01-01": 1, "2026-01-01T00:00:00": 2}]}
    for param in (same, below):
        result = result_of(body, prices=param)
        assert result.error is not None
        assert (result.reason, result.error.type) == ("failed_terminal", "InvalidParams")
        assert "several keys mean the same" in result.error.message
    assert result_of(body, prices={"1": [{"2026-01-01": 1}], "2": []}).output == 2


class _Yielding:
    def __call__(self) -> Iterator[int]:
        yield 1


def _generator() -> Iterator[int]:
    yield 1


async def _async_generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    "function", [_generator, _async_generator, functools.partial(_generator), _Yielding()]
)
def test_declare_generator_is_refused(function: Callable[..., Any]) -> None:
    assert "returns its result" in refusal(function).what


def test_parameters_field_as_default_is_refused() -> None:
    assert "Annotated" in refusal(lambda day=Field(1, ge=1): None).next  # noqa: B008


def test_parameters_unknown_annotation_is_refused() -> None:
    def body(day: "Unknown") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    refused = refusal(body)
    assert "name 'Unknown' is not defined" in refused.what
    assert "TYPE_CHECKING" in refused.next


def test_parameters_type_not_json_is_refused() -> None:
    class Handle: ...

    def body(handle: Handle) -> None: ...

    def callback(function: Callable[[int], int]) -> None: ...

    assert "cannot come from JSON" in refusal(body).what
    assert "has no JSON Schema" in refusal(callback).what


def test_test_run_unknown_task_is_refused() -> None:
    server = TaskServer("s")
    with pytest.raises(UserError, match='has no task "x"') as refused:
        server.test_run("x")
    assert "it has none" in refused.value.next
