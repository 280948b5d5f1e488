"""Capacity: the promises about clocks hold while cerebro's queues fill (docs/rules.md, rule 17)."""

import heapq
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cerebro.core.effects import WriteTask
from cerebro.core.internal_messages import FanOut
from cerebro.core.model.task_run import Rank
from cerebro.simulator.__main__ import main
from cerebro.simulator.checks.load_promises import delay_max_s
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.drawn.wide_scenario import PROFILES, wide_scenario
from cerebro.simulator.parts.sizes import REAL
from cerebro.simulator.worlds.network import InFlightMessage
from cerebro.simulator.worlds.world import World

WIDTHS = (100, 1_000, 10_000) if os.environ.get("SIM") == "full" else (100, 1_000)


@pytest.fixture(autouse=True)
def real_sizes_afterwards() -> Iterator[None]:
    yield
    REAL.set()


def fan_out(width: int, profile: str, *, retries: int = 2, dead: int = 0) -> World:
    """A fan-out that has ended, with every promise kept."""
    capacity = PROFILES[profile]
    world = World(3, wide_scenario(width, capacity=capacity, retries=retries, dead=dead))
    verdict = world.run()
    assert verdict.broken is None
    return world


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("width", WIDTHS)
def test_fan_out_whose_server_answers_has_no_expiry(width: int, profile: str) -> None:
    world = fan_out(width, profile)
    assert world.checker.promises is not None
    assert not world.checker.promises.false_expiries
    assert set(world.servers["s0"].bodies.values()) == {1}


@pytest.mark.parametrize("profile", PROFILES)
def test_fan_out_makes_messages_wait(profile: str) -> None:
    """Otherwise these tests would show nothing."""
    handlers = fan_out(1_000, profile).handlers
    assert handlers is not None
    assert handlers.ages_s()["tracker"] > 1.0


def test_dead_server_is_reported_within_two_seconds() -> None:
    promises = fan_out(10, "aws", retries=0, dead=2).checker.promises
    assert promises is not None
    assert promises.expiries == 2
    assert 0 <= promises.latest_s <= 2


def test_expiry_of_answered_attempt_is_noticed() -> None:
    world = fan_out(10, "steady", retries=0)
    promises = world.checker.promises
    assert promises is not None
    (run_id,) = world.store._runs
    snapshot = world.store.read_run_snapshot(run_id)
    assert snapshot is not None
    fact = world.store._tasks[run_id][1]
    deadline = fact.dispatched_at + 10
    seen = replace(fact, rank=Rank.PENDING, deadline=deadline)
    expired = replace(fact, rank=Rank.ACK_TIMEOUT, reason="ack_timeout")
    promises.expired(snapshot, WriteTask(run_id, 1, expired, seen), deadline, {})
    assert len(promises.false_expiries) == 1
    world.store._tasks[run_id][1] = expired
    with pytest.raises(Unexpected, match="ends with ack_timeout, but it answered in time"):
        promises.at_rest(run_id)


def test_expiry_too_late_is_noticed() -> None:
    world = fan_out(10, "steady", retries=0)
    promises = world.checker.promises
    assert promises is not None
    (run_id,) = world.store._runs
    snapshot = world.store.read_run_snapshot(run_id)
    assert snapshot is not None
    fact = world.store._tasks[run_id][1]
    effect = WriteTask(run_id, 1, fact, replace(fact, rank=Rank.PENDING, deadline=100.0))
    ages_s = {"tracker": 0.1, "timekeeper": 0.1}
    with pytest.raises(Unexpected, match="too late"):
        promises.expired(snapshot, effect, 103.0, ages_s)
    promises.expired(snapshot, effect, 103.0, {"tracker": 5.0, "timekeeper": 0.1})


@pytest.mark.parametrize(
    ("index", "age_s", "at_most_s"),
    [(1, 0.0, 2.4), (1, 0.1, 2.6), (24, 0.1, 2.6), (25, 0.1, 3.6), (25, 0.0, 3.3)],
)
def test_expiry_may_be_late_by_what_it_passes(index: int, age_s: float, at_most_s: float) -> None:
    """A hop and a wait for the timer, and for each part of the check up to its own."""
    ages_s = {"tracker": age_s, "timekeeper": age_s}
    assert at_most_s - 0.1 < delay_max_s(ages_s, index) <= at_most_s


def test_message_waits_for_those_before_it_in_its_batch() -> None:
    """Its age is what passes until a handler begins with it, not until it leaves its queue."""
    capacity = replace(PROFILES["laptop"], batches_at_first=1, batches_max=1, shards=1)
    world = World(3, wide_scenario(10, capacity=capacity))
    assert world.handlers is not None
    queue, network = world.handlers.queues["tracker"], world.network
    sent = [InFlightMessage(FanOut("unknown", None, 0, "x"), "x", "unknown") for _ in range(3)]
    world.checker.unacknowledged["x"] = len(sent)
    network.heap.clear()
    oldest_s = []
    for in_flight in sent:
        queue.put(in_flight)
    assert queue.waiting == 2, "the first is a batch of its own"
    while network.heap:
        network.now, _, action, argument = heapq.heappop(network.heap)
        action(argument)
        oldest_s.append(queue.oldest_age_s)
    assert len(set(oldest_s) - {0.0}) == len(sent)


def test_queue_is_held_up_while_all_its_handlers_are_paused() -> None:
    """What waits behind paused handlers does not wait for a dead letter."""
    capacity = replace(PROFILES["laptop"], batches_at_first=2, batches_max=2, shards=1)
    world = World(3, wide_scenario(10, capacity=capacity))
    assert world.handlers is not None
    queue = world.handlers.queues["tracker"]
    queue.put(a_fan_out := InFlightMessage(FanOut("unknown", None, 0, "x"), "x", "unknown"))
    (first,) = queue._running
    first.is_paused = True
    queue.put(a_fan_out.copy(1))
    (second,) = queue._running - {first}
    second.is_paused = True
    assert not world.handlers.are_held_up(), "nothing waits"
    queue.put(a_fan_out.copy(2))
    assert world.handlers.are_held_up()
    second.is_paused = False
    assert not world.handlers.are_held_up()
    second.on_end()
    assert queue.waiting == 0, "the next one begins when a handler has ended"


def test_fan_out_table_shows_what_was_promised(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["simulator", "--wide", "50", "--profile", "laptop", "--dead", "0.1"]
    monkeypatch.setattr("sys.argv", arguments)
    assert main() == 0
    *_, without_retries, with_retries = capsys.readouterr().out.splitlines()
    assert without_retries.endswith("| kept |")
    assert "| 15 | 0 |" in with_retries, "each of 5 dead tasks was tried three times"


def test_fan_out_table_names_a_broken_promise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cerebro.core.run.overdue_check.expire", _never)
    monkeypatch.setattr("sys.argv", ["simulator", "--wide", "30", "--dead", "0.2"])
    assert main() == 1
    assert "BROKEN RuntimeError: planted" in capsys.readouterr().out


def _never(*_: object, **__: object) -> None:
    raise RuntimeError("planted")
