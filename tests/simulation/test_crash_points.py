"""Crash points: a crash before and after every effect of a whole world, one by one; not by chance."""

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cerebro.simulator.faults import NO_FAULTS
from cerebro.simulator.scenario import Nets, Scenario, ScriptedMessage, ServerBehavior
from cerebro.simulator.sizes import REAL, Sizes
from cerebro.simulator.world import World
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.ids import CLIENT, run_id_of
from rules.scene import declaration

STRIDE = 1 if os.environ.get("SIM") == "full" else 12
"""`make sim` strikes at every effect, a test run at every twelfth."""

RUN = run_id_of("e", "k")

DECLARED = (
    declaration("p", "a  b  c<-a,b", every={"retries": 1}),
    declaration("q", "d<-b  e<-c,d"),
)


def world(
    *,
    fails: float = 0.0,
    command: Message | None = None,
    after: float = 0.0,
    nets: Nets = "neither",
) -> Scenario:
    says = [ScriptedMessage(0.0, CLIENT, InvokeTask(task="e", key="k"))]
    if command is not None:
        says.append(ScriptedMessage(after, CLIENT, command))
    return Scenario(
        servers={"p": ServerBehavior(fails=fails, concurrency=2), "q": ServerBehavior()},
        declared=DECLARED,
        says=tuple(says),
        nets=nets,
        storm=NO_FAULTS,
        sizes=Sizes(2, 2, 3),
        declares_itself=True,
    )


SCENARIOS = {
    "all goes well": world(),
    "bodies fail": world(fails=0.5),
    "the run is cancelled": world(command=CancelRun(run_id=RUN, command_id="c"), after=4.0),
    "what failed is retried": world(
        fails=0.7, command=RetryRun(run_id=RUN, command_id="r"), after=200.0
    ),
}


@pytest.fixture(autouse=True)
def real_sizes_afterwards() -> Iterator[None]:
    yield
    REAL.set()


@pytest.mark.parametrize("where", ["crash before", "crash after", "throttled", "answer lost"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_at_any_effect_breaks_nothing_and_every_run_ends(name: str, where: str) -> None:
    scenario = replace(SCENARIOS[name], nets="no sweep")
    effects = World(3, scenario).run().effects
    assert effects > 80
    for number in range(0, effects, STRIDE):
        verdict = World(3, scenario, crash_at={number: where}).run()
        assert verdict.broken is None, f"{where} effect {number}: {verdict.broken}"


@pytest.mark.parametrize("name", SCENARIOS)
def test_without_any_net_redelivery_alone_is_enough(name: str) -> None:
    """No repair, no sweep: a crash is mended by delivering the message again, and by nothing else."""
    scenario = SCENARIOS[name]
    effects = World(3, scenario).run().effects
    for number in range(0, effects, STRIDE):
        world = World(3, scenario, crash_at={number: "crash after"})
        verdict = world.run()
        assert verdict.broken is None, f"effect {number}: {verdict.broken}"
        world.watch.at_rest(is_live=True)
