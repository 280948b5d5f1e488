"""Drawn declarations: a handful of tasks on a few servers, and what a server may declare later.

Invariant: what is drawn first has no cycle: an upstream is one of the tasks before it.
"""

from collections.abc import Sequence
from typing import Any, Final

from cerebro.simulator.parts.faults import FaultInjector
from cordyna_core.contract.declaration import ServerDeclared

PARAMS: Final = ("day", "mode", "scale")
"""The parameters that drawn tasks may take; every one is a string."""

CRONS: Final = (
    ("*/2 * * * *", 360.0),
    ("*/5 * * * *", 700.0),
    ("0 6 * * *", 2 * 86_400.0),
    ("30 */8 * * *", 86_400.0),
)
"""(cron, for how many seconds it fires): a handful of ticks each."""
_DUE_OF_CRON: Final = {
    "*/2 * * * *": "30s",
    "*/5 * * * *": "2m",
    "0 6 * * *": "06:10",
    "30 */8 * * *": None,
}
_CLOCKS: Final[tuple[dict[str, int], ...]] = (
    {},
    {"start_timeout_s": 60, "run_timeout_s": 180},
    {"ack_timeout_s": 5, "start_timeout_s": 30, "run_timeout_s": 90},
    {"start_timeout_s": 120, "run_timeout_s": 20},
)
_RETRY_POLICIES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"retry_delay_s": 3, "retry_backoff": 1.0, "retry_jitter": False},
    {"retry_delay_s": 20, "retry_backoff": 3.0, "retry_max_delay_s": 40},
)
_WITHIN_S: Final = (60, 300, 3600)


def draw_declarations(
    servers: Sequence[str],
    faults: FaultInjector,
    *,
    size: int,
    fan_ins: Sequence[int] = (3,),
    cron: str | None,
    fresh_rate: float = 0.2,
) -> tuple[ServerDeclared, ...]:
    """Return what the servers declare: t0, t1, ..., each with upstreams among those before it.

    `size` is the number of tasks. A task has 0 to 2 upstreams, or one of `fan_ins`.
    """
    is_fresh, has_params = faults.chance(fresh_rate), faults.chance(0.4)
    clocks, owner = faults.choice(_CLOCKS), faults.choice((None, "team-a"))
    of_server: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}
    for n in range(size):
        task: dict[str, Any] = {
            "name": f"t{n}",
            "upstream": _draw_upstream(n, faults, fan_ins, is_fresh=is_fresh),
            "retries": (retries := faults.choice((0, 0, 1, 2))),
            **_retry_policy(retries, n),
            "owner": owner,
            **clocks,
        }
        if has_params and faults.chance(0.6):
            task["params_schema"] = _draw_params_schema(faults, may_require=cron is None)
        if cron and n == size - 1:
            task |= _draw_cron(cron, faults)
        of_server[faults.choice(servers)].append(task)
    return tuple(
        ServerDeclared.model_validate({"server": name, "revision": 1, "tasks": tasks})
        for name, tasks in of_server.items()
    )


def _retry_policy(retries: int, n: int) -> dict[str, Any]:
    """Two retries pause as some task declares: nothing is drawn, so no world changes by it."""
    return _RETRY_POLICIES[n % len(_RETRY_POLICIES)] if retries > 1 else {}


def _draw_upstream(
    n: int, faults: FaultInjector, fan_ins: Sequence[int], *, is_fresh: bool
) -> list[Any]:
    width = min(n, faults.choice((0, 1, 1, 2, *fan_ins)))
    names = faults.sample([f"t{u}" for u in range(n)], width)
    if not is_fresh:
        return names
    return [
        {"task": name, "within_s": faults.choice(_WITHIN_S)} if faults.chance(0.5) else name
        for name in names
    ]


def _draw_params_schema(faults: FaultInjector, *, may_require: bool) -> dict[str, Any]:
    names = faults.sample(PARAMS, faults.integer(1, len(PARAMS)))
    required = names[:1] if faults.chance(0.3) and may_require else []
    properties = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties, "required": required}


def _draw_cron(cron: str, faults: FaultInjector) -> dict[str, Any]:
    return {
        "cron": cron,
        "timezone": faults.choice(("UTC", "Europe/Berlin")),
        "overlap": faults.choice(("skip", "skip", "allow")),
        "due": _DUE_OF_CRON[cron],
    }


def draw_redeclaration(declared: Sequence[ServerDeclared], faults: FaultInjector) -> ServerDeclared:
    """Return what one of the servers declares later: fewer tasks, or the same ones changed.

    It may be a lower revision, which changes nothing, or the same one.
    """
    server = faults.choice(declared)
    tasks = list(server.tasks)
    if faults.chance(0.5):
        tasks = tasks[: faults.integer(0, len(tasks))]
    else:
        change: dict[str, Any] = faults.choice(
            (
                {"retries": 3},
                {"description": "changed"},
                {"run_timeout_s": 77},
                {"owner": "team-z"},
                {"consumers": []},
                {"invokers": []},
            )
        )
        tasks = [task.model_copy(update=change) if faults.chance(0.6) else task for task in tasks]
    revision = faults.choice((0, 1, 2, 2))
    return server.model_copy(update={"revision": revision, "tasks": tasks})


def sinks(declared: Sequence[ServerDeclared]) -> list[str]:
    """Return the tasks that no other task needs."""
    tasks = [task for server in declared for task in server.tasks]
    needed = {name for task in tasks for name in task.upstream_names}
    return [task.name for task in tasks if task.name not in needed]
