"""Scenarios in one line: `a_run("a  b<-a  c<-a,b", a="completed", b="started")`."""

from collections.abc import Mapping, Sequence
from typing import Any

from world.engine import Engine
from world.reactions import Reactions
from world.world import World

ReactionWorld = World[Reactions]
EngineWorld = World[Engine]


def a_world(tasks: str, **fields: Any) -> ReactionWorld:
    """Tasks on server s, declared and accepted, and nothing invoked."""
    world = World(Reactions())
    world.declare("s", tasks, **fields)
    return world


def a_run(tasks: str, *, declared: Mapping[str, Any] | None = None, **states: str) -> ReactionWorld:
    """The last task is invoked, and the server has reported what leads to `states`."""
    world = a_world(tasks, **(declared or {}))
    names = [word.partition("<-")[0] for word in tasks.split()]
    world.invoke(names[-1], key="k")
    for name in names:
        if states.get(name):
            world.reach(name, states[name])
    return world


def an_engine(
    *servers: str, silent: Sequence[str] = (), fails: Sequence[str] = (), **fields: Any
) -> EngineWorld:
    """The embedded engine with servers (`"a: x  y<-x"`) that answer at once.

    `silent` and `fails` name tasks that do not answer, and tasks that fail.
    """
    world = World(Engine(silent=silent, fails=fails))
    world.driver.declare(*servers, **fields)
    return world
