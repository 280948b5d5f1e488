"""Night: a campaign of hours leaves its figures and its broken seeds, and the next continues it."""

from pathlib import Path

import pytest

from cerebro.simulator import night
from cerebro.simulator.campaign import Report
from cerebro.simulator.parts.verdict import Verdict


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first seed of each round, which is one chunk of 10 seeds; its first seed is broken."""
    starts: list[int] = []

    def one_chunk(first: int, _count: int, *, jobs: int) -> list[Report]:
        assert jobs == 1
        starts.append(first)
        return [Report(seeds=10, broken=[Verdict(first, broken="it broke")])]

    monkeypatch.setattr(night, "campaign", one_chunk)
    return starts


def test_night_writes_figures_and_broken_seeds(tmp_path: Path, rounds: list[int]) -> None:
    assert night.run_night(0, 30, 1, tmp_path / "campaign") == 1
    assert rounds == [30]
    figures = (tmp_path / "campaign/figures.txt").read_text()
    assert figures.startswith("10 seeds")
    assert figures.endswith("next seed: 40\n")
    assert (tmp_path / "campaign/broken.txt").read_text() == "make sim SEED=30    it broke\n"


def test_next_night_continues_with_the_next_seed(tmp_path: Path, rounds: list[int]) -> None:
    night.run_night(0, 0, 1, tmp_path)
    night.run_night(0, 0, 1, tmp_path)
    assert rounds == [0, 10]
