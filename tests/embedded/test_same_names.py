"""Two targets whose servers have one name: the one that is named first runs it."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import cast

import pytest

from cerebro.embedded.bodies.port import Bodies, LoadFailure, ServerLoaded
from cerebro.embedded.runtime.body_news import BodyNews
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.runtime.served import ServedTargets
from cerebro.embedded.storage.home import Home, MemoryHome
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration

FIRST, SECOND = (
    ServerLoaded(f"{name}.py", ServerDeclared(server="shop", tasks=[TaskDeclaration(name=name)]))
    for name in ("first", "second")
)
YIELDED = LoadFailure(
    SECOND.target, 'server "shop" is run by first.py already', still_serving=False
)


@pytest.fixture
def home() -> Iterator[MemoryHome]:
    with closing(MemoryHome(lambda: 0.0)) as home:
        yield home


def served_by(home: Home, *targets: str) -> ServedTargets:
    return ServedTargets(home, targets, lambda target: target, lambda: 0.0)


def tell(served: ServedTargets, events: Sequence[ServerLoaded | LoadFailure]) -> None:
    for event in events:
        if isinstance(event, ServerLoaded):
            served.on_declared(event)
        else:
            served.on_failed(event)


@pytest.mark.parametrize(
    "events", [(FIRST, SECOND), (SECOND, FIRST), (SECOND, YIELDED, FIRST), (FIRST, YIELDED)]
)
def test_target_that_is_named_first_runs_the_server(
    home: MemoryHome, events: Sequence[ServerLoaded | LoadFailure]
) -> None:
    # An earlier engine ran the second one alone.
    tell(served_by(home, SECOND.target), [SECOND])
    served = served_by(home, FIRST.target, SECOND.target)

    tell(served, events)

    assert served.declarations() == {"shop": FIRST.declaration}
    assert list(served.as_declared()) == ["shop"]
    refused = home.targets.read(SECOND.target)
    assert refused is not None
    # It holds up no task of the server that has the name.
    assert (refused.server, refused.is_serving) == (None, False)
    assert 'server "shop" is run by first.py already' in (refused.error or "")


class RecordingBodies:
    """Has loaded both servers, and records what is removed."""

    def __init__(self) -> None:
        self.removed: list[str] = []

    def receive(self) -> Sequence[ServerLoaded]:
        return (FIRST, SECOND)

    def remove(self, target: str) -> None:
        self.removed.append(target)


def test_refused_target_is_removed_from_the_bodies(home: MemoryHome) -> None:
    bodies = RecordingBodies()
    news = BodyNews(
        home,
        cast("Bodies", bodies),
        loop=cast("MessageLoop", None),
        served=served_by(home, FIRST.target, SECOND.target),
        clock=lambda: 0.0,
    )

    news.receive()
    news.take()

    assert bodies.removed == [SECOND.target]
