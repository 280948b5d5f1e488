"""The kill loop, short: `make worker-e2e` runs 200 kills."""

from pathlib import Path

from world.kill_loop import KillLoop


def test_kills_at_random_moments_lose_and_repeat_nothing(tmp_path: Path) -> None:
    loop = KillLoop(tmp_path, seed=7)

    assert loop.run(kills=10) == []
    assert loop.counts.invoked != []
