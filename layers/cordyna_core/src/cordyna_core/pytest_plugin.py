"""The pytest plugin: whole graphs in virtual time as a fixture.

It is found by pytest where cordyna-core is installed.

Invariant: loading it imports nothing but pytest; the library is imported when the fixture is used.
"""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from cordyna_core.graph_testing import VirtualGraph


@pytest.fixture
def cordyna_graph() -> "Callable[..., VirtualGraph]":
    """`cordyna_graph(server, ..., at=..., dead=..., late=..., lasts=...)`: see VirtualGraph."""
    from cordyna_core.graph_testing import virtual_graph  # noqa: PLC0415  see the invariant

    def graph_of(*servers: Any, **options: Any) -> "VirtualGraph":
        return virtual_graph(servers, **options)

    return graph_of
