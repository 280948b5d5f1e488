"""A console for each file of tests: its engine, a run that failed, and a client that is let in."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from cerebro.embedded.embedded_engine import EmbeddedEngine
from console.consoles import a_client, a_console, an_engine, finished
from cordyna_core.contract.views.runs import RunView


@pytest.fixture(scope="module")
def engine() -> Iterator[EmbeddedEngine]:
    with an_engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def failed(engine: EmbeddedEngine) -> RunView:
    finished(engine, "orders", day="monday")
    return finished(engine, "report", top=7)


@pytest.fixture(scope="module")
def client(engine: EmbeddedEngine) -> TestClient:
    return a_client(a_console(engine))
