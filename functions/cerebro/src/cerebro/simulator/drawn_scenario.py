"""Drawn scenario: the scenario of a seed: a few servers, a handful of tasks, a run or a few."""

from collections.abc import Sequence
from typing import Any, Final

from cerebro.simulator.faults import MESSAGE_FAULTS, STEP_FAULTS, FaultInjector, FaultRates
from cerebro.simulator.scenario import SafetyNets, Scenario, ScriptedMessage, ServerBehavior
from cerebro.simulator.sizes import REAL, Sizes
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source

_SAFETY_NETS: Final[tuple[SafetyNets, ...]] = ("both", "no repair", "both", "no sweep", "neither")
_SERVER_COUNTS: Final = (1, 2, 3, 3, 3, 3, 3, 4)
_SIZES: Final = (REAL, Sizes(4, 2, 3), Sizes(2, 250, 100), Sizes(3, 2, 2))
_FAULTS_UNTIL_S: Final = (60.0, 400.0, 2500.0)


def scenario_of(seed: int, faults: FaultInjector, own: Sequence[ServerDeclared] = ()) -> Scenario:
    """The scenario of a seed; with `own`, of these servers and their tasks."""
    names = [declared.server for declared in own] or [
        f"s{n}" for n in range(faults.choice(_SERVER_COUNTS))
    ]
    has_bad_servers = faults.chance(0.5)
    cron_days = faults.uniform(1.0, 3.0) if faults.chance(0.04) else 0.0
    declared = tuple(own) or _draw_declarations(names, faults, has_crons=cron_days > 0)
    target = (
        faults.choice(_sinks(own))
        if own
        else f"t{sum(len(server.tasks) for server in declared) - 1}"
    )
    return Scenario(
        servers={
            name: _draw_behavior(faults) if has_bad_servers else _draw_good_behavior(faults)
            for name in names
        },
        declared=declared,
        script=tuple(_draw_script(declared, target, faults)),
        safety_nets=_SAFETY_NETS[seed % len(_SAFETY_NETS)],
        rates=_draw_rates(faults),
        faults_until_s=faults.choice(_FAULTS_UNTIL_S),
        sizes=faults.choice(_SIZES),
        batch=faults.choice((1, 1, 3)),
        sealed=faults.chance(0.1),
        declares_itself=cron_days > 0 or faults.chance(0.1),
        cron_days=cron_days,
    )


def _draw_good_behavior(faults: FaultInjector) -> ServerBehavior:
    return ServerBehavior(concurrency=faults.choice((0, 0, 1, 4)), fails=faults.choice((0.0, 0.1)))


def _draw_behavior(faults: FaultInjector) -> ServerBehavior:
    dies = faults.uniform(0, 300) if faults.chance(0.15) else 0.0
    return ServerBehavior(
        concurrency=faults.choice((0, 0, 1, 2)),
        fails=faults.choice((0.0, 0.1, 0.3)),
        hangs=faults.choice((0.0, 0.0, 0.1)),
        slow=faults.choice((0.0, 0.2)),
        twice=faults.choice((0.0, 0.0, 0.3)),
        lies=faults.choice((0.0, 0.0, 0.2)),
        dead=(dies, dies + faults.uniform(10, 900)) if dies else (0.0, 0.0),
        body_s=faults.choice((1.0, 20.0, 60.0)),
    )


def _draw_rates(faults: FaultInjector) -> FaultRates:
    return FaultRates(
        steps=faults.choice((0.0, 0.01, 0.03, 0.06)),
        messages=faults.choice((0.0, 0.1, 0.25, 0.4)),
        timers=faults.choice((0.0, 0.3)),
        skew_s=faults.choice((0.0, 0.0, 1.0)),
        step_faults=tuple(faults.sample(STEP_FAULTS, faults.integer(1, len(STEP_FAULTS)))),
        message_faults=tuple(faults.sample(MESSAGE_FAULTS, faults.integer(1, len(MESSAGE_FAULTS)))),
    )


def _draw_declarations(
    servers: list[str], faults: FaultInjector, *, has_crons: bool
) -> tuple[ServerDeclared, ...]:
    size, is_fresh = faults.integer(3, 7), faults.chance(0.1)
    clocks = faults.choice(({}, {"start_timeout_s": 60, "run_timeout_s": 180}))
    of_server: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}
    for n in range(size):
        width = min(n, faults.choice((0, 1, 1, 2, 3)))
        upstream: list[Any] = faults.sample([f"t{u}" for u in range(n)], width)
        if is_fresh:
            upstream = [
                {"task": name, "within_s": 300} if faults.chance(0.5) else name for name in upstream
            ]
        task: dict[str, Any] = {
            "name": f"t{n}",
            "upstream": upstream,
            "retries": faults.choice((0, 0, 1, 2)),
            **clocks,
        }
        if has_crons and n == size - 1:
            task |= {
                "cron": faults.choice(("0 6 * * *", "30 */8 * * *")),
                "timezone": faults.choice(("UTC", "Europe/Berlin")),
                "overlap": faults.choice(("skip", "allow")),
            }
        of_server[faults.choice(servers)].append(task)
    return tuple(
        ServerDeclared.model_validate({"server": name, "revision": 1, "tasks": tasks})
        for name, tasks in of_server.items()
    )


def _sinks(declared: Sequence[ServerDeclared]) -> list[str]:
    tasks = [task for server in declared for task in server.tasks]
    needed = {name for task in tasks for name in task.upstream_names}
    return [task.name for task in tasks if task.name not in needed]


def _draw_script(
    declared: tuple[ServerDeclared, ...], first: str, faults: FaultInjector
) -> list[ScriptedMessage]:
    tasks = [task.name for server in declared for task in server.tasks]
    script: list[ScriptedMessage] = []
    for n in range(faults.choice((1, 1, 1, 2, 3))):
        target = first if n == 0 else faults.choice(tasks)
        script += _draw_run(target, n, faults)
    if faults.chance(0.1):
        server = faults.choice(declared)
        redeclared = server.model_copy(
            update={
                "revision": faults.choice((0, 2)),
                "tasks": server.tasks[: faults.integer(0, len(server.tasks))],
            }
        )
        source = server_source(server.server)
        script.append(ScriptedMessage(faults.uniform(1, 60), source, redeclared))
    return script


def _draw_run(target: str, n: int, faults: FaultInjector) -> list[ScriptedMessage]:
    """The commands about one run: its invocation, perhaps again; perhaps a cancel, or a retry."""
    key, after = f"k{n}", faults.uniform(0, 30 * n)
    max_age_s = faults.choice((None, None, None, 60))
    invocation = InvokeTask(task=target, key=key, max_age_s=max_age_s)
    script = [ScriptedMessage(after, CLIENT, invocation)]
    run_id = run_id_of(target, key)
    if faults.chance(0.1):
        again = InvokeTask(task=target, key=key)
        script.append(ScriptedMessage(after + faults.uniform(0, 60), CLIENT, again))
    if faults.chance(0.12):
        cancel = CancelRun(run_id=run_id, command_id=f"c{n}")
        script.append(ScriptedMessage(after + faults.uniform(0, 200), CLIENT, cancel))
    if faults.chance(0.15):
        retry = RetryRun(run_id=run_id, command_id=f"r{n}")
        script += [
            ScriptedMessage(after + faults.uniform(20, 3000), CLIENT, retry)
            for _ in range(faults.integer(1, 2))
        ]
    return script
