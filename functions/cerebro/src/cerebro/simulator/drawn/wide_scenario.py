"""Wide scenario: a fan-out of many tasks on bounded handlers, with nothing else wrong, or little.

A root, `width` tasks that need it, and one that needs them all. The servers answer at once, as well
as their workers allow; some tasks may belong to a server that never answers.
"""

from typing import Any, Final

from cerebro.simulator.parts.faults import NO_FAULTS, FaultInjector, FaultRates
from cerebro.simulator.parts.scenario import (
    Capacity,
    SafetyNets,
    Scenario,
    ScriptedMessage,
    ServerBehavior,
)
from cerebro.simulator.parts.sizes import REAL, Sizes
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import CLIENT

PROFILES: Final = {
    "laptop": Capacity(batches_at_first=2, batches_max=2, cold_start_s=(0.0, 0.0)),
    "steady": Capacity(batches_max=5, cold_start_s=(0.0, 0.0)),
    "aws": Capacity(),
}
"""Handlers of an emulator on a laptop, of an account that grants no more, and of AWS."""

_WIDTHS: Final = (30, 60, 120, 150)
_SIZES: Final = (REAL, Sizes(32, 25, 10, 3, 3), Sizes(16, 12, 10, 10, 5))
_NETS: Final[tuple[SafetyNets, ...]] = ("both", "no sweep")


def wide_scenario(
    width: int,
    *,
    capacity: Capacity,
    retries: int = 0,
    dead: int = 0,
    workers: int = 0,
    rates: FaultRates = NO_FAULTS,
    safety_nets: SafetyNets = "no sweep",
    sizes: Sizes = REAL,
) -> Scenario:
    """Return a fan-out of `width` tasks, of which `dead` belong to a server that never answers."""
    names = [f"w{n}" for n in range(width)]
    silent = set(names[:dead])
    answering = [_task("root", [], retries)]
    answering += [_task(name, ["root"], retries) for name in names if name not in silent]
    answering.append(_task("end", names, retries))
    servers = {
        "s0": ServerBehavior(concurrency=workers, start_s=(0.05, 0.4), body_s=0.5),
        "s1": ServerBehavior(dead=(0.0, float("inf"))),
    }
    declared = [ServerDeclared.model_validate({"server": "s0", "tasks": answering})]
    if silent:
        tasks = [_task(name, ["root"], retries) for name in sorted(silent)]
        declared.append(ServerDeclared.model_validate({"server": "s1", "tasks": tasks}))
    return Scenario(
        servers=servers,
        declared=tuple(declared),
        script=(ScriptedMessage(0.0, CLIENT, InvokeTask(task="end", key="k")),),
        safety_nets=safety_nets,
        rates=rates,
        faults_until_s=400.0 if rates != NO_FAULTS else 0.0,
        sizes=sizes,
        capacity=capacity,
    )


def draw_wide_scenario(faults: FaultInjector) -> Scenario:
    """Return a fan-out that a seed can afford: most have no faults but the lack of capacity."""
    width = faults.choice(_WIDTHS)
    has_faults = faults.chance(0.3)
    rates = FaultRates(
        steps=faults.choice((0.0, 0.002)), messages=faults.choice((0.01, 0.05)), skew_s=0.0
    )
    return wide_scenario(
        width,
        capacity=PROFILES[faults.choice(("laptop", "laptop", "steady", "aws"))],
        retries=faults.choice((0, 1, 2)),
        dead=faults.choice((0, 0, 1, width // 8)),
        workers=faults.choice((0, 0, width // 4)),
        rates=rates if has_faults else NO_FAULTS,
        safety_nets=faults.choice(_NETS),
        sizes=faults.choice(_SIZES),
    )


def _task(name: str, upstream: list[str], retries: int) -> dict[str, Any]:
    return {"name": name, "upstream": upstream, "retries": retries}
