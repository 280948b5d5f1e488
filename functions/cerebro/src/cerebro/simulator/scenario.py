"""Scenario: what a seed's world is made of: servers with their tempers, a graph, who asks for what and when, and the weather.

Law: it is drawn whole before the world begins, so two worlds of one seed differ in nothing that they were given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cerebro.simulator.faults import MESSAGE_FAULTS, STEP_FAULTS, FaultInjector, FaultRates
from cerebro.simulator.sizes import REAL, Sizes
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import CLIENT, run_id_of, server_source

BEGIN: Final = 1_760_000_400.0
"""A virtual world's first moment: 09:00 UTC on a Thursday in October 2025."""

Nets = Literal["both", "no repair", "no sweep", "neither"]
"""Which safety nets are there. They hide bugs, so each is off in a part of the worlds."""

_NETS: Final[tuple[Nets, ...]] = ("both", "no repair", "both", "no sweep", "neither")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerBehavior:
    """How a server is. `concurrency` 0: Lambda-like, as many at once as come; else it says `queued` and has that many workers."""

    concurrency: int = 0
    fails: float = 0.0
    hangs: float = 0.0
    slow: float = 0.0
    twice: float = 0.0
    lies: float = 0.0
    dead: tuple[float, float] = (0.0, 0.0)
    body_s: float = 10.0


@dataclass(frozen=True, slots=True)
class ScriptedMessage:
    """Somebody says something, so many seconds after the world began."""

    after: float
    source: str
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A world before it begins."""

    servers: dict[str, ServerBehavior]
    declared: tuple[ServerDeclared, ...]
    says: tuple[ScriptedMessage, ...]
    nets: Nets = "both"
    storm: FaultRates = field(default_factory=FaultRates)
    storm_s: float = 0.0
    sizes: Sizes = REAL
    batch: int = 1
    sealed: bool = False
    declares_itself: bool = False
    cron_days: float = 0.0


def scenario_of(seed: int, luck: FaultInjector, own: Sequence[ServerDeclared] = ()) -> Scenario:
    """The world of a seed: three servers mostly, a handful of tasks, one run or a few. With `own`: these servers and their tasks."""
    names = [each.server for each in own] or [
        f"s{n}" for n in range(luck.choice((1, 2, 3, 3, 3, 3, 3, 4)))
    ]
    wild = luck.chance(0.5)
    cron_days = luck.between(1.0, 3.0) if luck.chance(0.04) else 0.0
    declared = tuple(own) or _declared(names, luck, has_crons=cron_days > 0)
    target = (
        luck.choice(_needed_by_nobody(own))
        if own
        else f"t{sum(len(each.tasks) for each in declared) - 1}"
    )
    return Scenario(
        servers={name: _temper(luck) if wild else _good_temper(luck) for name in names},
        declared=declared,
        says=tuple(_says(declared, target, luck)),
        nets=_NETS[seed % len(_NETS)],
        storm=_storm(luck),
        storm_s=luck.choice((60.0, 400.0, 2500.0)),
        sizes=luck.choice((REAL, Sizes(4, 2, 3), Sizes(2, 250, 100), Sizes(3, 2, 2))),
        batch=luck.choice((1, 1, 3)),
        sealed=luck.chance(0.1),
        declares_itself=cron_days > 0 or luck.chance(0.1),
        cron_days=cron_days,
    )


def _good_temper(luck: FaultInjector) -> ServerBehavior:
    return ServerBehavior(concurrency=luck.choice((0, 0, 1, 4)), fails=luck.choice((0.0, 0.1)))


def _temper(luck: FaultInjector) -> ServerBehavior:
    dies = luck.between(0, 300) if luck.chance(0.15) else 0.0
    return ServerBehavior(
        concurrency=luck.choice((0, 0, 1, 2)),
        fails=luck.choice((0.0, 0.1, 0.3)),
        hangs=luck.choice((0.0, 0.0, 0.1)),
        slow=luck.choice((0.0, 0.2)),
        twice=luck.choice((0.0, 0.0, 0.3)),
        lies=luck.choice((0.0, 0.0, 0.2)),
        dead=(dies, dies + luck.between(10, 900)) if dies else (0.0, 0.0),
        body_s=luck.choice((1.0, 20.0, 60.0)),
    )


def _storm(luck: FaultInjector) -> FaultRates:
    return FaultRates(
        steps=luck.choice((0.0, 0.01, 0.03, 0.06)),
        messages=luck.choice((0.0, 0.1, 0.25, 0.4)),
        rings=luck.choice((0.0, 0.3)),
        skew_s=luck.choice((0.0, 0.0, 1.0)),
        step_faults=tuple(luck.sample(STEP_FAULTS, luck.whole(1, len(STEP_FAULTS)))),
        message_faults=tuple(luck.sample(MESSAGE_FAULTS, luck.whole(1, len(MESSAGE_FAULTS)))),
    )


def _declared(
    servers: list[str], luck: FaultInjector, *, has_crons: bool
) -> tuple[ServerDeclared, ...]:
    size, is_fresh = luck.whole(3, 7), luck.chance(0.1)
    clocks = luck.choice(({}, {"start_timeout_s": 60, "run_timeout_s": 180}))
    of_server: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}
    for n in range(size):
        width = min(n, luck.choice((0, 1, 1, 2, 3)))
        upstream: list[Any] = luck.sample([f"t{u}" for u in range(n)], width)
        if is_fresh:
            upstream = [
                {"task": name, "within_s": 300} if luck.chance(0.5) else name for name in upstream
            ]
        task: dict[str, Any] = {
            "name": f"t{n}",
            "upstream": upstream,
            "retries": luck.choice((0, 0, 1, 2)),
            **clocks,
        }
        if has_crons and n == size - 1:
            task |= {
                "cron": luck.choice(("0 6 * * *", "30 */8 * * *")),
                "timezone": luck.choice(("UTC", "Europe/Berlin")),
            }
            task["overlap"] = luck.choice(("skip", "allow"))
        of_server[luck.choice(servers)].append(task)
    return tuple(
        ServerDeclared.model_validate({"server": name, "revision": 1, "tasks": tasks})
        for name, tasks in of_server.items()
    )


def _needed_by_nobody(declared: Sequence[ServerDeclared]) -> list[str]:
    tasks = [task for each in declared for task in each.tasks]
    needed = {name for task in tasks for name in task.upstream_names}
    return [task.name for task in tasks if task.name not in needed]


def _says(
    declared: tuple[ServerDeclared, ...], first: str, luck: FaultInjector
) -> list[ScriptedMessage]:
    tasks = [task.name for each in declared for task in each.tasks]
    says: list[ScriptedMessage] = []
    for n in range(luck.choice((1, 1, 1, 2, 3))):
        target, key, after = (
            first if n == 0 else luck.choice(tasks),
            f"k{n}",
            luck.between(0, 30 * n),
        )
        says.append(
            ScriptedMessage(
                after,
                CLIENT,
                InvokeTask(task=target, key=key, max_age_s=luck.choice((None, None, None, 60))),
            )
        )
        run_id = run_id_of(target, key)
        if luck.chance(0.1):
            says.append(
                ScriptedMessage(
                    after + luck.between(0, 60), CLIENT, InvokeTask(task=target, key=key)
                )
            )
        if luck.chance(0.12):
            says.append(
                ScriptedMessage(
                    after + luck.between(0, 200),
                    CLIENT,
                    CancelRun(run_id=run_id, command_id=f"c{n}"),
                )
            )
        if luck.chance(0.15):
            retry = RetryRun(run_id=run_id, command_id=f"r{n}")
            says += [
                ScriptedMessage(after + luck.between(20, 3000), CLIENT, retry)
                for _ in range(luck.whole(1, 2))
            ]
    if luck.chance(0.1):
        each = luck.choice(declared)
        fewer = each.model_copy(
            update={
                "revision": luck.choice((0, 2)),
                "tasks": each.tasks[: luck.whole(0, len(each.tasks))],
            }
        )
        says.append(ScriptedMessage(luck.between(1, 60), server_source(each.server), fewer))
    return says
