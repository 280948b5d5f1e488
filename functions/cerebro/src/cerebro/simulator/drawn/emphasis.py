"""Drawn emphasis: scripts for the worlds that are mostly about one thing, which others rarely do.

    reuse      the same tasks are asked for again and again, some within the age that is allowed
    reruns     what has ended runs again, in part, repeatedly; commands meet each other
    teams      servers declare often, wrongly, and in each other's way; see `teams`

Invariant: nothing else differs from other worlds: faults, servers and safety nets are drawn alike.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from cerebro.simulator.drawn.extent import Emphasis
from cerebro.simulator.parts.faults import FaultInjector
from cerebro.simulator.parts.scenario import ScriptedMessage
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source

_OF_REMAINDER: Final[dict[int, Emphasis]] = {3: "reruns", 4: "reruns", 5: "teams", 7: "reuse"}
_INTERVAL: Final = 9
"""Of each nine seeds: those of 3 are a multiple of three, whose stores cache facts."""

_MAX_AGES_S: Final = (None, None, 60, 300, 3600)
_PAUSES_S: Final = (1.0, 40.0, 200.0, 400.0)
_RERUN_PAUSES_S: Final = (2.0, 60.0, 200.0, 800.0, 2400.0)


def emphasis_of(seed: int) -> Emphasis:
    """Return what the world of a seed is mostly about."""
    return _OF_REMAINDER.get(seed % _INTERVAL, "none")


def draw_reuse(
    declared: Sequence[ServerDeclared], target: str, times: int, faults: FaultInjector
) -> Iterator[ScriptedMessage]:
    """Invoke a task and what it needs repeatedly, sometimes with a declaration in between."""
    tasks = {task.name: task for server in declared for task in server.tasks}
    params = {
        name: "a"
        for task in tasks.values()
        for name in (task.params_schema or {}).get("required", ())
    }
    after = 60.0
    for n in range(times):
        after += faults.uniform(0, 1) * faults.choice(_PAUSES_S) + 1.0
        name = target if faults.chance(0.7) else faults.choice(list(tasks))
        wanted = _params_of(name, tasks)
        command = InvokeTask(
            task=name,
            key=f"again{n}",
            params={key: value for key, value in params.items() if key in wanted},
            max_age_s=faults.choice(_MAX_AGES_S),
        )
        yield ScriptedMessage(after, CLIENT, command)
        if faults.chance(0.4):
            yield ScriptedMessage(after + 0.5, *_redeclared(declared, n + 2, faults))


def _params_of(target: str, tasks: dict[str, TaskDeclaration]) -> set[str]:
    closure = [tasks[name] for name in _closure_of(target, tasks)]
    return {key for task in closure for key in (task.params_schema or {}).get("required", ())}


def _closure_of(target: str, tasks: dict[str, TaskDeclaration]) -> list[str]:
    reached = [target]
    for name in reached:
        reached += [up for up in tasks[name].upstream_names if up not in reached]
    return reached


def _redeclared(
    declared: Sequence[ServerDeclared], revision: int, faults: FaultInjector
) -> tuple[str, ServerDeclared]:
    """Return the same tasks with another description: earlier results are of another version."""
    server = faults.choice(declared)
    text = f"revision {revision}"
    tasks = [task.model_copy(update={"description": text}) for task in server.tasks]
    update = {"revision": revision, "tasks": tasks}
    return server_source(server.server), server.model_copy(update=update)


def draw_reruns(
    declared: Sequence[ServerDeclared], target: str, times: int, faults: FaultInjector
) -> Iterator[ScriptedMessage]:
    """Retry the first run of a script again and again, and perhaps cancel it, even twice."""
    tasks = {task.name: task for server in declared for task in server.tasks}
    names = _closure_of(target, tasks)
    run_id = run_id_of(target, "k0", CLIENT)
    after = faults.choice((20.0, 60.0, 300.0))
    for n in range(times):
        after += faults.choice(_RERUN_PAUSES_S) * faults.uniform(0.5, 1)
        is_rerun = faults.chance(0.75)
        from_ = faults.sample(names, min(len(names), faults.choice((1, 1, 2))))
        retry = RetryRun(
            run_id=run_id,
            command_id=f"again{n}",
            from_=from_ if is_rerun or faults.chance(0.3) else [],
            downstream=is_rerun,
        )
        for _ in range(faults.choice((1, 1, 2))):
            yield ScriptedMessage(after + faults.uniform(0, 20), CLIENT, retry)
    if faults.chance(0.4):
        for n in range(faults.choice((1, 2, 2))):
            cancel = CancelRun(run_id=run_id, command_id=f"stop{n}")
            yield ScriptedMessage(after + faults.uniform(-100, 100), CLIENT, cancel)
