"""Declarations in one line: `declared("a", "x  y<-x  z<-x,y")` is server a with three tasks."""

from typing import Any

from cerebro.core.graph.graph import Graph
from cerebro.core.model import Plan
from cerebro.core.planning.planner import plan_invocation
from cordyna_core.contract.declaration import ServerDeclared


def declared(server: str, tasks: str = "", *, revision: int = 0, **fields: Any) -> ServerDeclared:
    """`fields` gives a task more than its upstream: `declared("a", "x", x={"cron": "0 6 * * *"})`."""
    written = [task.partition("<-") for task in tasks.split()]
    described = [
        {"name": name, "upstream": upstream.split(",") if upstream else [], **fields.get(name, {})}
        for name, _, upstream in written
    ]
    return ServerDeclared.model_validate(
        {"server": server, "revision": revision, "tasks": described}
    )


def graph_of(*declarations: ServerDeclared) -> Graph:
    return Graph.of({each.server: each for each in declarations}, generation=1)


def a_graph(tasks: str, **fields: Any) -> Graph:
    """A graph of one server, `a`."""
    return graph_of(declared("a", tasks, **fields))


def planned(graph: Graph, target: str) -> Plan:
    """The plan, which must be there."""
    plan = plan_invocation(graph, target)
    assert isinstance(plan, Plan), plan
    return plan


def params(*required: str, **properties: Any) -> dict[str, Any]:
    """A task's params_schema: `x={...params("day", day="string")}`."""
    types = {
        name: {"type": kind} if isinstance(kind, str) else kind for name, kind in properties.items()
    }
    return {"params_schema": {"type": "object", "properties": types, "required": list(required)}}
