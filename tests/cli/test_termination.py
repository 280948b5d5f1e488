"""Termination: the first SIGTERM raises in the block, and leaves nothing behind but its own end."""

import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from cordyna_cli.termination import terminable


class Terminated(BaseException):
    """What the first SIGTERM raises."""


@pytest.fixture(autouse=True)
def handler() -> Iterator[object]:
    """The handler of before: ignore, so that a signal that is not handled ends no test."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield signal.SIG_IGN
    signal.signal(signal.SIGTERM, before)


def test_first_sigterm_raises_and_the_next_has_its_own_effect() -> None:
    later: list[int] = []

    def then(number: int, _: object) -> None:
        later.append(number)

    with pytest.raises(Terminated), terminable(Terminated, then):  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert later == [signal.SIGTERM]


@pytest.mark.parametrize("error", [None, ValueError(), KeyboardInterrupt()])
def test_block_that_ends_otherwise_leaves_the_handler_of_before(
    error: BaseException | None, handler: object
) -> None:
    with suppress(ValueError, KeyboardInterrupt), terminable(Terminated, signal.SIG_DFL):
        assert signal.getsignal(signal.SIGTERM) != handler
        if error is not None:
            raise error
    assert signal.getsignal(signal.SIGTERM) == handler
