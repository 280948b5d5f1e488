"""Crash points: a fault before and after every effect of a whole world, one by one."""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cerebro.simulator.parts.faults import NO_FAULTS
from cerebro.simulator.parts.scenario import SafetyNets, Scenario, ScriptedMessage, ServerBehavior
from cerebro.simulator.parts.sizes import REAL, Sizes
from cerebro.simulator.worlds.world import World
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.ids import CLIENT, run_id_of
from world.declarations import declared

STRIDE = 1 if os.environ.get("SIM") == "full" else 12
"""`make sim` injects at every effect, a test run at every twelfth."""

RUN = run_id_of("e", "k")

DECLARED = (
    declared("p", "a  b  c<-a,b", every={"retries": 1}),
    declared("q", "d<-b  e<-c,d"),
)


def scenario(
    *,
    fails: float = 0.0,
    command: Message | None = None,
    after: float = 0.0,
    safety_nets: SafetyNets = "neither",
) -> Scenario:
    """Task e is invoked on two servers; perhaps a command arrives later."""
    script = [ScriptedMessage(0.0, CLIENT, InvokeTask(task="e", key="k"))]
    if command is not None:
        script.append(ScriptedMessage(after, CLIENT, command))
    return Scenario(
        servers={"p": ServerBehavior(fails=fails, concurrency=2), "q": ServerBehavior()},
        declared=DECLARED,
        script=tuple(script),
        safety_nets=safety_nets,
        rates=NO_FAULTS,
        sizes=Sizes(2, 2, 3),
        declares_itself=True,
    )


SCENARIOS = {
    "all goes well": scenario(),
    "bodies fail": scenario(fails=0.5),
    "the run is cancelled": scenario(command=CancelRun(run_id=RUN, command_id="c"), after=4.0),
    "what failed is retried": scenario(
        fails=0.7, command=RetryRun(run_id=RUN, command_id="r"), after=200.0
    ),
}


@pytest.fixture(autouse=True)
def real_sizes_afterwards() -> Iterator[None]:
    yield
    REAL.set()


@pytest.mark.parametrize("fault", ["crash before", "crash after", "throttled", "answer lost"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_fault_at_any_effect_breaks_nothing(name: str, fault: str) -> None:
    without_sweep = replace(SCENARIOS[name], safety_nets="no sweep")
    effects = World(3, without_sweep).run().effects
    assert effects > 80
    for number in range(0, effects, STRIDE):
        verdict = World(3, without_sweep, crash_at={number: fault}).run()
        assert verdict.broken is None, f"{fault} effect {number}: {verdict.broken}"


@pytest.mark.parametrize("name", SCENARIOS)
def test_crash_without_safety_nets_is_repaired_by_redelivery(name: str) -> None:
    """Without repair and sweep, only the redelivery of the message is left."""
    effects = World(3, SCENARIOS[name]).run().effects
    for number in range(0, effects, STRIDE):
        world = World(3, SCENARIOS[name], crash_at={number: "crash after"})
        verdict = world.run()
        assert verdict.broken is None, f"effect {number}: {verdict.broken}"
        world.checker.at_rest(is_live=True)
