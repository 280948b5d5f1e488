"""What holds for all tests: none depends on how fast this machine is, hypothesis' included.

Invariant: a test leaves no module that it wrote, and no size of a simulated world, to the next one.
"""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def unchanged_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forget the folders of a test and their modules; pages and fan-outs have real sizes."""
    before, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    written = str(tmp_path_factory.getbasetemp())
    for name in sys.modules.keys() - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(written):
            del sys.modules[name]
    if (sizes := sys.modules.get("cerebro.simulator.parts.sizes")) is not None:
        sizes.REAL.set()
