"""Fixtures of the adapters' tests."""

from collections.abc import Iterator

import pytest
from moto import mock_aws


@pytest.fixture(scope="module")
def moto() -> Iterator[None]:
    """Every client that is made meanwhile talks to moto."""
    with mock_aws():
        yield
