"""What led to an exception: described as Python writes it, in time that does not depend on it."""

import traceback
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cordyna_core.contract.limits import MAX_ERROR_BYTES
from cordyna_core.server.result import describe

LINKS = st.lists(st.sampled_from(["cause", "context", "hidden"]), max_size=8)


def chain(links: list[str]) -> BaseException:
    """An exception with this history, the first link the oldest."""
    error: BaseException = ValueError("the first")
    for number, link in enumerate(links):
        error = _raised(link, number, error)
    return _raised("context", len(links), error)


def _raised(link: str, number: int, before: BaseException) -> BaseException:
    try:
        try:
            raise before
        except (ValueError, KeyError) as earlier:
            if link == "cause":
                raise KeyError(number) from earlier
            if link == "hidden":
                raise KeyError(number) from None
            raise KeyError(number)  # noqa: B904  the kind of link that is tested
    except KeyError as raised:
        return raised


@given(LINKS)
def test_described_chain_is_that_of_python(links: list[str]) -> None:
    error = chain(links)
    expected = "".join(traceback.format_exception(error))
    described = describe(error).traceback or ""

    assert described == expected or expected.endswith(described.removeprefix("..."))
    assert "".join(traceback.format_exception(error)) == expected, "the exception is unchanged"


def test_long_chain_is_read_only_as_far_as_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    original = traceback.format_exception

    def counting(*arguments: object) -> list[str]:
        lines = original(*arguments)  # type: ignore[call-overload]
        written.append(sum(map(len, lines)))
        return list(lines)

    monkeypatch.setattr("traceback.format_exception", counting)
    error: BaseException = ValueError("the first")
    for number in range(20_000):
        later = ValueError(number)
        later.__context__ = error
        error = later
    try:
        raise error
    except ValueError as raised:
        described = describe(raised)

    assert described.message == "19999"
    assert sum(written) <= MAX_ERROR_BYTES + 500


def test_circle_of_exceptions_is_described_once() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    with pytest.raises(ValueError, match="first") as raised:
        raise first

    assert (describe(raised.value).traceback or "").count("ValueError: second") == 1


def test_exception_that_cannot_be_changed_is_described() -> None:
    @dataclass(frozen=True)
    class Frozen(Exception):
        code: int

        def __str__(self) -> str:
            return f"code {self.code}"

    frozen = Frozen(7)
    BaseException.__setattr__(frozen, "__cause__", _caught(ValueError("before")))
    described = describe(_caught(frozen))

    assert described.message == "code 7"
    assert "ValueError: before" in (described.traceback or "")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_text_that_interrupts_is_described(kind: type[BaseException]) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise kind

        __repr__ = __str__

    described = describe(_caught(Odd()))

    assert described.type == "Odd"
    assert described.message == f"(no message: {kind.__name__} while it was written)"


def test_class_whose_name_cannot_be_read_is_named() -> None:
    class Nameless(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise ValueError("no name")

    class Odd(Exception, metaclass=Nameless): ...

    assert describe(_caught(Odd("text"))).type == "Odd"


def _caught(error: BaseException) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value
