"""Fixtures of the tests of adapters."""

from collections.abc import Iterator

import pytest
from moto import mock_aws


@pytest.fixture(scope="module")
def moto() -> Iterator[None]:
    """Clients that are created meanwhile talk to moto."""
    with mock_aws():
        yield
