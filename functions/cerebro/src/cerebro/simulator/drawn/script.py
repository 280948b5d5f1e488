"""Drawn script: which commands arrive in a world, from whom, and when.

Most are as a careful user would send them. Some are repeated, some use a key again, some name what
does not exist, and some have parameters that do not fit.

Invariant: whatever is drawn, cerebro owes it an answer.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from cerebro.simulator.drawn.declarations import PARAMS, draw_redeclaration
from cerebro.simulator.parts.faults import FaultInjector
from cerebro.simulator.parts.param_values import example_of
from cerebro.simulator.parts.scenario import ScriptedMessage
from cerebro.simulator.parts.secrets import MISSPELT, PLAIN, SECRET, VALUES
from cordyna_core.contract.base import Message, Meta
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source

_SOURCES: Final = (CLIENT, CLIENT, CLIENT, f"{CLIENT}.web")
_MAX_AGES_S: Final = (None, None, None, 60, 600)
_CANCELLED_WITHIN_S: Final = (10.0, 50.0, 200.0)
"""Most runs of two tasks have ended after half a minute."""
_UNKNOWN_RUN: Final = "0" * 26
_TRACED: Final = Meta(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def draw_script(
    declared: Sequence[ServerDeclared],
    first: str,
    faults: FaultInjector,
    *,
    runs: Sequence[int] = (1, 1, 1, 2, 3),
    redeclares: float = 0.12,
) -> list[ScriptedMessage]:
    """Return one run of `first`, perhaps more of any task, and perhaps another declaration."""
    tasks = {task.name: task for server in declared for task in server.tasks}
    owner_of = {task.name: server.server for server in declared for task in server.tasks}
    script: list[ScriptedMessage] = []
    for n in range(faults.choice(runs)):
        target = first if n == 0 or faults.chance(0.3) else faults.choice(list(tasks))
        script += _draw_run(target, n, tasks, owner_of, faults)
    if faults.chance(redeclares):
        redeclared = draw_redeclaration(declared, faults)
        source = server_source(redeclared.server)
        script.append(ScriptedMessage(faults.uniform(1, 60), source, redeclared))
    return script


def _draw_run(
    target: str,
    n: int,
    tasks: dict[str, TaskDeclaration],
    owner_of: dict[str, str],
    faults: FaultInjector,
) -> list[ScriptedMessage]:
    """Return the commands about one run.

    Its invocation, perhaps again; perhaps a cancel, or retries.
    """
    after = faults.uniform(0, 30 * n)
    invocation = InvokeTask(
        meta=_TRACED if faults.chance(0.3) else None,
        task=target,
        key=None if faults.chance(0.05) else f"k{n}",
        params=_draw_params(target, tasks, faults),
        max_age_s=faults.choice(_MAX_AGES_S),
    )
    invoker = _draw_source(target, owner_of, faults)
    script = [ScriptedMessage(after, invoker, invocation)]
    if faults.chance(0.12):
        again = _draw_repeated(invocation, list(tasks), faults)
        source = faults.choice((invoker, CLIENT))
        script.append(ScriptedMessage(after + faults.uniform(0, 60), source, again))
    run_id = run_id_of(target, f"k{n}", invoker) if faults.chance(0.97) else _UNKNOWN_RUN

    def command(delay: float, message: Message) -> None:
        source = _draw_source(target, owner_of, faults)
        script.append(ScriptedMessage(after + delay, source, message))

    if faults.chance(0.22):
        command_id = None if faults.chance(0.2) else f"c{n}"
        command(
            faults.uniform(0, faults.choice(_CANCELLED_WITHIN_S)),
            CancelRun(run_id=run_id, command_id=command_id),
        )
    if faults.chance(0.2):
        names = [*tasks, "unknown"]
        from_ = faults.sample(names, faults.integer(1, 2)) if faults.chance(0.5) else []
        command_id = None if faults.chance(0.2) else f"r{n}"
        retry = RetryRun(
            run_id=run_id,
            command_id=command_id,
            from_=from_,
            downstream=faults.chance(0.7 if from_ else 0.03),
        )
        for _ in range(faults.integer(1, 2)):
            command(faults.uniform(20, 3000), retry)
    return script


def _draw_source(target: str, owner_of: dict[str, str], faults: FaultInjector) -> str:
    """Most often a client; sometimes the server of the task, or any other."""
    if faults.chance(0.9):
        return faults.choice(_SOURCES)
    servers = sorted(set(owner_of.values()))
    return server_source(faults.choice((owner_of[target], faults.choice(servers))))


def _required_values(
    tasks: Sequence[TaskDeclaration], drawn: Collection[str]
) -> Iterator[tuple[str, Any]]:
    """Yield a fitting value of each parameter that one's own server requires."""
    for task in tasks:
        for name in (task.params_schema or {}).get("required", ()):
            if name not in drawn:
                with suppress(LookupError):
                    yield name, example_of(task, name)


def _draw_params(
    target: str, tasks: dict[str, TaskDeclaration], faults: FaultInjector
) -> dict[str, Any]:
    """Return values for what the closure takes.

    Sometimes one is missing, unknown or of another type.
    """
    names, frontier = {target}, [target]
    while frontier:
        for upstream in tasks[frontier.pop()].upstream_names:
            if upstream in tasks and upstream not in names:
                names.add(upstream)
                frontier.append(upstream)
    known = {
        param for name in names for param in (tasks[name].params_schema or {}).get("properties", ())
    }
    if not known:
        return {"surplus": "x"} if faults.chance(0.01) else {}
    params: dict[str, Any] = {
        name: faults.choice(("a", "b", "a", "b", "é"))
        for name in PARAMS
        if name in known and faults.chance(0.9)
    }
    if SECRET in known:
        params[SECRET] = faults.choice(VALUES)
        if faults.chance(0.1):
            params[MISSPELT] = PLAIN
    params.update(_required_values([tasks[name] for name in sorted(names)], set(PARAMS)))
    if faults.chance(0.03):
        params[faults.choice(sorted(known))] = 7
    if faults.chance(0.03):
        params["surplus"] = "x"
    return params


def _draw_repeated(invocation: InvokeTask, tasks: list[str], faults: FaultInjector) -> InvokeTask:
    """Return the same command again, or another one with the same key."""
    others: tuple[dict[str, Any], ...] = (
        {},
        {},
        {"params": {"day": "z"}},
        {"task": faults.choice(tasks)},
    )
    return invocation.model_copy(update=faults.choice(others))
