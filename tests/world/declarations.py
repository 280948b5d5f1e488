"""Declarations, graphs and plans in one line: `declared("a", "x  y<-x  z<-x,y")`."""

from collections.abc import Mapping
from typing import Any

from cerebro.core.graph.graph import Graph
from cerebro.core.model.plan import Plan
from cerebro.core.planning.planner import plan_invocation
from cordyna_core.contract.declaration import ServerDeclared


def declared(
    server: str,
    tasks: str = "",
    *,
    revision: int = 0,
    every: Mapping[str, Any] | None = None,
    **fields: Any,
) -> ServerDeclared:
    """The declaration of `tasks`: `"x  y<-x,z"` is x, and y which needs x and z.

    A keyword adds fields to the task of that name, `every` adds them to all tasks:
    `declared("a", "x", x={"cron": "0 6 * * *"})`.
    """
    described: list[dict[str, Any]] = []
    for word in tasks.split():
        name, _, upstream = word.partition("<-")
        described.append(
            {
                "name": name,
                "upstream": [needed for needed in upstream.split(",") if needed],
                **(every or {}),
                **fields.get(name, {}),
            }
        )
    return ServerDeclared.model_validate(
        {"server": server, "revision": revision, "tasks": described}
    )


def graph_of(*declarations: ServerDeclared) -> Graph:
    """The first generation of a graph that consists of exactly these declarations."""
    return Graph.of({declaration.server: declaration for declaration in declarations}, generation=1)


def a_graph(tasks: str, **fields: Any) -> Graph:
    """The graph of one server, `a`."""
    return graph_of(declared("a", tasks, **fields))


def planned(graph: Graph, target: str) -> Plan:
    """The plan of `target`, which must exist."""
    plan = plan_invocation(graph, target)
    assert isinstance(plan, Plan), plan
    return plan


def params(*required: str, **properties: Any) -> dict[str, Any]:
    """The field params_schema of a task: `x=params("day", day="string")`."""
    types = {
        name: {"type": kind} if isinstance(kind, str) else kind for name, kind in properties.items()
    }
    return {"params_schema": {"type": "object", "properties": types, "required": list(required)}}
