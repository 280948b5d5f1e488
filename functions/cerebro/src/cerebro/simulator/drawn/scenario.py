"""Drawn scenario: the scenario of a seed: a few servers, a handful of tasks, a run or a few.

Invariant: the same seed gives the same scenario: every choice is one of `faults`, in a fixed order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from cerebro.simulator.drawn.declarations import CRONS, draw_declarations, sinks
from cerebro.simulator.drawn.emphasis import draw_reruns, draw_reuse, emphasis_of
from cerebro.simulator.drawn.extent import LARGE, LARGE_RATE, SMALL, Emphasis
from cerebro.simulator.drawn.script import draw_script
from cerebro.simulator.drawn.teams import (
    draw_declarations_of_teams,
    draw_unreadable,
    with_policies,
)
from cerebro.simulator.drawn.wide_scenario import draw_wide_scenario
from cerebro.simulator.parts.faults import MESSAGE_FAULTS, STEP_FAULTS, FaultInjector, FaultRates
from cerebro.simulator.parts.scenario import (
    BEGIN,
    SafetyNets,
    Scenario,
    ScriptedMessage,
    ServerBehavior,
)
from cerebro.simulator.parts.sizes import REAL, Sizes
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import CLIENT, server_source
from cordyna_core.contract.incidents import SnoozeIncident, incident_id
from cordyna_core.contract.time import utc

_SAFETY_NETS: Final[tuple[SafetyNets, ...]] = ("both", "no repair", "both", "no sweep", "neither")
WIDE_INTERVAL: Final = 50
"""One seed in this many is a wide fan-out on bounded handlers."""

SNOOZE_INTERVAL: Final = 6
"""In one world in this many, incidents are snoozed."""

_JOINED: Final = (
    Sizes(2, 1, 2, 3, 25, upstream_bytes=30),
    Sizes(2, 2, 2, 1, 25, upstream_bytes=30, part_s=0.0, facts_per_read=2),
)
"""With these, a task of three upstreams has joins, and one of five has three.

With the second ones, a part of a fan-out has time for one task.
"""
_DIVIDED: Final = (
    Sizes(2, 1, REAL.awaited, 2, 1, kept_commands=2, root_causes=1),
    Sizes(1, 250, REAL.awaited, 1, 2, params_bytes=39, part_s=0.02, facts_per_read=1),
)
"""With these, a run of two tasks has more than one page, fan-out message or group of commands.

With the second ones, a part of a fan-out often has time for a task or two.
"""
_SIZES: Final = (REAL, *_JOINED, *_DIVIDED, *_DIVIDED, _DIVIDED[1])
_TASKS_TO_JOIN: Final = (4, 4, 4, 4, 4, 4, 4, 6)
_FAN_INS_TO_JOIN: Final = (5,) * 7
"""How many upstreams a task may have, beside 0, 1 and 2; most have as many as there are."""
_HOLDS_S: Final = (0.0, 0.0, 5.0, 0.0, 2.0, 0.5, 0.0)
"""For how long servers hold `started` back."""

_FAULTS_UNTIL_S: Final = (60.0, 400.0, 2500.0)


_Drawn = Callable[[Sequence[ServerDeclared], str, int, FaultInjector], Iterable[ScriptedMessage]]

_EMPHASIZED: Final[dict[Emphasis, _Drawn]] = {
    "none": lambda *_: (),
    "reuse": draw_reuse,
    "reruns": draw_reruns,
    "teams": lambda declared, _, times, faults: draw_declarations_of_teams(declared, times, faults),
}


def scenario_of(seed: int, faults: FaultInjector, own: Sequence[ServerDeclared] = ()) -> Scenario:
    """Return the scenario of a seed; with `own`, of these servers and their tasks."""
    if not own and seed % WIDE_INTERVAL == WIDE_INTERVAL - 1:
        return draw_wide_scenario(faults)
    extent = LARGE if own or faults.chance(LARGE_RATE) else SMALL
    names = [declared.server for declared in own] or [
        f"s{n}" for n in range(faults.choice(extent.servers))
    ]
    draw_behavior = _draw_behavior if faults.chance(0.5) else _draw_good_behavior
    cron, crons_until_s = faults.choice(CRONS) if faults.chance(0.025) else (None, 0.0)
    sizes = faults.choice(_SIZES)
    emphasis: Emphasis = "none" if own or cron else emphasis_of(seed)
    declared = tuple(own) or draw_declarations(
        names,
        faults,
        size=faults.choice(_TASKS_TO_JOIN if sizes in _JOINED else extent.tasks[emphasis]),
        fan_ins=_FAN_INS_TO_JOIN if sizes in _JOINED else (3,),
        cron=cron,
        fresh_rate=1.0 if emphasis == "reuse" else 0.2,
    )
    if emphasis == "teams":
        declared = with_policies(declared, faults)
    target = (
        faults.choice(sinks(own))
        if own
        else f"t{sum(len(server.tasks) for server in declared) - 1}"
    )
    return Scenario(
        servers={
            # The hold is not a draw, so that other seeds stay.
            name: draw_behavior(faults, _HOLDS_S[(seed + place) % len(_HOLDS_S)])
            for place, name in enumerate(names)
        },
        declared=declared,
        script=(
            *draw_script(declared, target, faults, runs=extent.runs[emphasis]),
            *_EMPHASIZED[emphasis](
                declared, target, faults.choice(extent.emphasized[emphasis]), faults
            ),
            *_snoozes(seed, declared, extent.snoozed),
            *(_without_cron(declared, crons_until_s, faults) if cron else ()),
        ),
        unreadable=draw_unreadable(declared, faults) if emphasis == "teams" else (),
        safety_nets=_SAFETY_NETS[seed % len(_SAFETY_NETS)],
        rates=_draw_rates(faults),
        faults_until_s=faults.choice(_FAULTS_UNTIL_S),
        sizes=sizes,
        batch=faults.choice((1, 1, 3)),
        sealed=faults.chance(0.05),
        declares_itself=cron is not None or faults.chance(1.0 if emphasis == "teams" else 0.1),
        crons_until_s=crons_until_s,
    )


def _snoozes(seed: int, declared: Sequence[ServerDeclared], most: int) -> Iterator[ScriptedMessage]:
    """Snoozes of what fails, in some worlds; one is repeated. No draw, so other seeds stay."""
    if seed % SNOOZE_INTERVAL:
        return
    tasks = [task.name for server in declared for task in server.tasks][-most:]
    for number, task in enumerate(tasks):
        after = 60.0 + 40.0 * number
        until = utc(BEGIN + after + (1.0, 300.0, 7200.0)[number % 3])
        snooze = SnoozeIncident(
            incident=incident_id("failed", task), until=until, command_id=f"s{number}"
        )
        yield ScriptedMessage(after, CLIENT, snooze)
        yield ScriptedMessage(after + 5 * number, CLIENT, snooze)


def _without_cron(
    declared: Sequence[ServerDeclared], until_s: float, faults: FaultInjector
) -> Iterator[ScriptedMessage]:
    """Yield a later declaration of the cron's server without it, in some worlds."""
    after = faults.uniform(0, until_s)
    for server in declared:
        if faults.chance(0.4) and any(task.cron for task in server.tasks):
            change = {"cron": None, "due": None}
            tasks = [task.model_copy(update=change) for task in server.tasks]
            update = {"revision": server.revision + 5, "tasks": tasks}
            source = server_source(server.server)
            yield ScriptedMessage(after, source, server.model_copy(update=update))


def _draw_good_behavior(faults: FaultInjector, hold_s: float) -> ServerBehavior:
    return ServerBehavior(
        concurrency=faults.choice((0, 0, 1, 4)),
        fails=faults.choice((0.0, 0.15)),
        started_after_s=hold_s,
    )


def _draw_behavior(faults: FaultInjector, hold_s: float) -> ServerBehavior:
    dies = faults.uniform(0, 300) if faults.chance(0.15) else 0.0
    return ServerBehavior(
        concurrency=faults.choice((0, 0, 1, 2)),
        fails=faults.choice((0.0, 0.15, 0.4)),
        hangs=faults.choice((0.0, 0.0, 0.2)),
        slow=faults.choice((0.0, 0.2)),
        twice=faults.choice((0.0, 0.0, 0.3)),
        lies=faults.choice((0.0, 0.0, 0.2)),
        dead=(dies, dies + faults.uniform(10, 900)) if dies else (0.0, 0.0),
        body_s=faults.choice((1.0, 20.0, 60.0)),
        started_after_s=hold_s,
    )


def _draw_rates(faults: FaultInjector) -> FaultRates:
    return FaultRates(
        steps=faults.choice((0.0, 0.015, 0.04, 0.08)),
        messages=faults.choice((0.0, 0.1, 0.25, 0.4)),
        timers=faults.choice((0.0, 0.3)),
        skew_s=faults.choice((0.0, 0.0, 1.0)),
        step_faults=tuple(faults.sample(STEP_FAULTS, faults.integer(1, len(STEP_FAULTS)))),
        message_faults=tuple(faults.sample(MESSAGE_FAULTS, faults.integer(1, len(MESSAGE_FAULTS)))),
    )
