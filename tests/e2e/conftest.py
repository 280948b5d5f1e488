"""End-to-end tests: the synthesized stacks in an emulator of AWS, driven by the command lines.

Only `make e2e` runs them: they take minutes, need Node, and wait in real time.
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
    """Cordyna, deployed to an emulator on a free port."""
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()


@pytest.fixture(scope="session")
def team(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """Another team's server, in its own stack, as first deployed."""
    team = Team(cloud, tmp_path_factory.mktemp("team"))
    team.app.deploy()
    return team


@pytest.fixture
def container(cloud: Cloud, tmp_path: Path) -> Iterator[Container]:
    """Team c's container, not started."""
    container = Container(cloud, tmp_path)
    yield container
    container.stop()
