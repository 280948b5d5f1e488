"""End to end: the synthesized stacks in an emulator of AWS, driven as a person would drive them.

Run by `make e2e`, and by nothing else: these tests take minutes, need Node, and wait for real time.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cloud import Cloud
from e2e.container import Container
from e2e.team import Team

# `make test` needs Python only.
collect_ignore_glob = [] if os.environ.get("CORDYNA_E2E") else ["test_*.py"]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Cordyna, deployed to an emulator of its own on a free port."""
    made = Cloud(tmp_path_factory.mktemp("cloud"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def team(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """Another team's server, in a stack of its own, as it was first deployed."""
    team = Team(cloud, tmp_path_factory.mktemp("team"))
    team.deploy()
    return team


@pytest.fixture
def container(cloud: Cloud, tmp_path: Path) -> Iterator[Container]:
    """Team c's container, which is not running yet."""
    made = Container(cloud, tmp_path)
    yield made
    made.stop()
