"""Paused crons of a home: kept in its folder, heeded by whatever drives it."""

from pathlib import Path

import pytest

from cerebro.embedded.storage.paused_crons import (
    FILE_NAME,
    FilePausedCrons,
    MemoryPausedCrons,
    PausedCrons,
)
from cordyna_core.errors import ServiceError
from world.scenarios import an_engine


@pytest.fixture(params=["memory", "file"])
def crons(request: pytest.FixtureRequest, tmp_path: Path) -> PausedCrons:
    return MemoryPausedCrons() if request.param == "memory" else FilePausedCrons(tmp_path)


def test_paused_crons_are_what_was_written_last(crons: PausedCrons) -> None:
    assert crons.read() == frozenset()
    crons.write(frozenset({"b", "a"}))
    assert crons.read() == {"a", "b"}
    crons.write(frozenset())
    assert crons.read() == frozenset()


def test_paused_crons_outlive_the_process(tmp_path: Path) -> None:
    FilePausedCrons(tmp_path).write(frozenset({"a"}))
    assert FilePausedCrons(tmp_path).read() == {"a"}


def test_damaged_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("{")
    with pytest.raises(ServiceError, match="cannot be read") as error:
        FilePausedCrons(tmp_path).read()
    assert "delete it" in error.value.next


def test_file_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="could not be written"):
        FilePausedCrons(tmp_path / "nothing").write(frozenset({"a"}))


def test_paused_cron_fires_not_and_is_not_missed() -> None:
    world = an_engine("s: x", x={"cron": "* * * * *"})
    world.driver.loop.start_crons()
    world.after(61)
    assert len(world.commands) == 1

    world.driver.home.paused_crons.write(frozenset({"x"}))
    world.after(180)
    last = world.store.read_tick("x")
    assert (len(world.commands), world.problems) == (1, [])
    assert last is not None
    assert world.now - last <= 60

    world.driver.home.paused_crons.write(frozenset())
    world.after(60)
    assert len(world.commands) == 2
