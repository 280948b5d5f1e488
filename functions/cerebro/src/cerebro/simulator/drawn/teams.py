"""Drawn teams: servers that declare often, that change what others use, and that make mistakes.

Their tasks say who may use and invoke them, that they are deprecated, which type their output has
and what is expected of another's, and that a parameter is a secret. What they declare later claims
names of others, needs itself, names a task twice, or is not allowed.

Invariant: what is drawn is of the contract; only rules between declarations are broken.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from cerebro.simulator.parts.faults import FaultInjector
from cerebro.simulator.parts.output_types import EXPECTED, PRODUCED
from cerebro.simulator.parts.scenario import ScriptedMessage
from cerebro.simulator.parts.secrets import MISSPELT, PLAIN, SCHEMA, SECRET
from cordyna_core.contract.commands import RemoveServer
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import server_source

_CONSUMERS: Final[tuple[list[str], ...]] = ([], ["s0"], ["s*"], ["s1", "other*"])
_INVOKERS: Final[tuple[list[str], ...]] = ([], ["s0"], ["client.web"], ["client.*", "s1"])
_DEPRECATED: Final[tuple[dict[str, Any], ...]] = (
    {"deprecated": "use t0"},
    {"deprecated": "use t0", "until": "2026-01-31"},
)

_Task = dict[str, Any]


def with_policies(
    declared: Sequence[ServerDeclared], faults: FaultInjector
) -> tuple[ServerDeclared, ...]:
    """Return the same declarations, with what teams say about their tasks."""
    return tuple(
        _server(one.server, 1, [_with_policies(task, faults) for task in _tasks(one)])
        for one in declared
    )


def _tasks(declared: ServerDeclared) -> list[_Task]:
    return [task.model_dump(mode="json", exclude_defaults=True) for task in declared.tasks]


def _server(name: str, revision: int, tasks: list[_Task]) -> ServerDeclared:
    return ServerDeclared.model_validate({"server": name, "revision": revision, "tasks": tasks})


def _with_policies(task: _Task, faults: FaultInjector) -> _Task:
    policies: _Task = {}
    if faults.chance(0.25):
        policies["consumers"] = faults.choice(_CONSUMERS)
    if faults.chance(0.2):
        policies["invokers"] = faults.choice(_INVOKERS)
    if faults.chance(0.2):
        policies |= faults.choice(_DEPRECATED)
    if (produced := faults.choice(PRODUCED)) is not None:
        policies["output_schema"] = produced
    if faults.chance(0.3):
        policies["params_schema"] = {"type": "object", "properties": {SECRET: SCHEMA}}
    upstream = [_with_type(edge, faults) for edge in task.get("upstream", ())]
    return {**task, **policies, "upstream": upstream}


def _with_type(edge: Any, faults: FaultInjector) -> Any:
    if not isinstance(edge, str) or faults.chance(0.5):
        return edge
    return {"task": edge, "expects": faults.choice(EXPECTED), "strict": faults.chance(0.5)}


def draw_declarations_of_teams(
    declared: Sequence[ServerDeclared], times: int, faults: FaultInjector
) -> Iterator[ScriptedMessage]:
    """Yield several later declarations of any of the servers, each changed from the one before."""
    latest = {one.server: _tasks(one) for one in declared}
    revisions = dict.fromkeys(latest, 1)
    names = [task["name"] for tasks in latest.values() for task in tasks]
    for _ in range(times):
        server, after = faults.choice(list(latest)), faults.uniform(5, 300)
        revisions[server] = max(0, revisions[server] + faults.choice((0, 1, 1, 1, -1)))
        if faults.chance(0.08):
            removal = RemoveServer(server=server, revision=revisions[server])
            yield ScriptedMessage(after, server_source(server), removal)
            continue
        tasks = _changed(server, latest, names, faults)
        if faults.chance(0.6):
            latest[server] = tasks  # the next declaration repairs it, or adds to it
        declaration = _server(server, revisions[server], tasks)
        for _ in range(faults.choice((1, 1, 2))):
            yield ScriptedMessage(after, server_source(server), declaration)


def _changed(
    server: str, latest: dict[str, list[_Task]], names: list[str], faults: FaultInjector
) -> list[_Task]:
    """Return the tasks of a server after a change, which may be a mistake."""
    tasks = [dict(task) for task in latest[server]]
    if not tasks or faults.chance(0.15):
        return [*tasks, {"name": f"new{faults.integer(0, 2)}", "upstream": [faults.choice(names)]}]
    place = faults.integer(0, len(tasks) - 1)
    task = tasks[place]
    kind = faults.choice(
        ("policies", "policies", "policies", "edge", "edge", "fewer", "taken", "twice", "cron")
    )
    match kind:
        case "policies":
            tasks[place] = _with_policies(_plain(task), faults)
        case "edge":
            needed = faults.choice([*names, "nowhere", task["name"]])
            tasks[place] = {**task, "upstream": [*task.get("upstream", ()), needed]}
        case "fewer":
            del tasks[place]
        case "taken":
            tasks.append({"name": faults.choice(names), "upstream": []})
        case "twice":
            tasks.append(task)
        case "cron":
            schema = {"type": "object", "properties": {"day": {}}, "required": ["day"]}
            tasks[place] = {**task, "cron": "0 6 * * *"}
            tasks[0] = {**tasks[0], "params_schema": faults.choice((schema, None))}
    return tasks


def _plain(task: _Task) -> _Task:
    """Return a task without its policies, but for the conditions of its edges."""
    kept = ("name", "upstream", "retries", "owner", "cron")
    return {name: value for name, value in task.items() if name in kept}


def draw_unreadable(
    declared: Sequence[ServerDeclared], faults: FaultInjector
) -> tuple[tuple[float, str], ...]:
    """Return events that can never be handled, with plain secrets in them: (after, text)."""
    names = [task.name for server in declared for task in server.tasks]
    forms = (
        # Malformed: its key is not text. From one who may not invoke. To a task that is unknown.
        ("cordyna.client", f'"task":"{faults.choice(names)}","key":7,'),
        ("cordyna.nowhere", f'"task":"{names[-1]}",'),
        ("cordyna.nowhere", f'"task":"{faults.choice(names)}",'),
        ("cordyna.nowhere", '"task":"unknown",'),
    )
    params = faults.choice(
        (f'"{SECRET}":"{PLAIN}"', f'"{MISSPELT}":"{PLAIN}"', f'"day":"a","{SECRET}":"{PLAIN}"')
    )
    source, begin = faults.choice(forms)
    detail = f'{{{begin}"params":{{{params}}}}}'
    if faults.chance(0.15):
        detail = detail[:-2]  # no JSON any more
    event = (
        f'{{"id":"unreadable","source":"{source}","detail-type":"InvokeTask",'
        f'"time":"2025-10-09T09:00:00Z","detail":{detail}}}'
    )
    return ((faults.uniform(1, 300), event),) if faults.chance(0.8) else ()
