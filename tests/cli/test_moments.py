"""A moment of the past as a person types it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from cordyna_cli.moments import moment_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def machine_in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is typed means the same on every machine."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("2h", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("90", datetime(2026, 3, 2, 11, 58, 30, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T08:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T08:00+01:00", datetime(2026, 3, 1, 7, tzinfo=UTC)),
        ("2026-03-01T08:00Z", datetime(2026, 3, 1, 8, tzinfo=UTC)),
    ],
)
def test_moment_is_in_utc_unless_it_has_a_zone(typed: str, moment: datetime) -> None:
    assert moment_of(typed, NOW) == moment


@pytest.mark.parametrize("typed", ["yesterday", "", "2h ago", "9" * 30])
def test_other_text_is_no_moment(typed: str) -> None:
    with pytest.raises(ValueError, match="neither a duration nor a date"):
        moment_of(typed, NOW)


def test_moment_outside_of_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="outside of the calendar"):
        moment_of("0001-01-01T00:00+10:00", NOW)
