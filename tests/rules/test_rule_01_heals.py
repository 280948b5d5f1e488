"""Rule 1: an expiry means "nothing heard yet", so any later update heals it."""

import itertools

import pytest

from cerebro.core.effects import ReadPage
from cerebro.core.model.task_run import Rank
from cerebro.core.run.transitions import TRANSITIONS, Input
from cerebro.handlers.receive import program_of
from cerebro.shell import PERFORM
from world.scenarios import a_run

RANK_OF_STATE = {
    "queued": Rank.QUEUED,
    "started": Rank.STARTED,
    "error": Rank.ERROR,
    "completed": Rank.COMPLETED,
}
EXPIRY_OF = {
    Rank.PENDING: Rank.ACK_TIMEOUT,
    Rank.QUEUED: Rank.START_TIMEOUT,
    Rank.STARTED: Rank.RUN_TIMEOUT,
}
ORDERS = [
    order
    for size in range(1, 5)
    for states in itertools.combinations(RANK_OF_STATE, size)
    for order in itertools.permutations(states)
]


def test_every_transition_moves_up() -> None:
    for (rank, _), outcome in TRANSITIONS.items():
        assert not isinstance(outcome, Rank) or outcome > rank


def test_every_expiry_is_just_above_its_state() -> None:
    ranks = sorted(Rank)
    for rank, expiry in EXPIRY_OF.items():
        assert ranks.index(expiry) == ranks.index(rank) + 1
        assert TRANSITIONS[rank, Input.DEADLINE] is expiry


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_any_order_with_any_expiry_ends_in_the_maximum(order: tuple[str, ...]) -> None:
    """Before each update the clock may expire; the end is the highest update or its expiry."""
    best = max(RANK_OF_STATE[state] for state in order)
    for expires in itertools.product((False, True), repeat=len(order) + 1):
        rank = Rank.PENDING
        for index, expired in enumerate(expires):
            if expired and rank in EXPIRY_OF:
                rank = EXPIRY_OF[rank]
            if index < len(order):
                outcome = TRANSITIONS[rank, Input(order[index])]
                rank = outcome if isinstance(outcome, Rank) else rank
        assert rank in (best, EXPIRY_OF.get(best))


@pytest.mark.parametrize("state", ["queued", "started", "completed"])
def test_update_after_expiry_heals_and_reopens(state: str) -> None:
    world = a_run("a  b<-a").after(30)
    assert world.run().state == "error"
    rev = world.stored_run().rev
    world.report("a", state, attempt=1)
    assert world.state_of("a") == state
    assert (world.stored_run().status, world.stored_run().rev) == ("running", rev + 1)
    assert world.run_states[-1] == "running", "the reopened run is published"


def test_healed_task_is_expired_again_by_its_next_clock() -> None:
    world = a_run("a  b<-a").after(30)
    world.report("a", "started", attempt=1)
    assert world.after(1802).state_of("a") == "error run_timeout"
    assert world.after(5).run().state == "error"


def test_error_after_expiry_replaces_its_reason() -> None:
    world = a_run("a").after(30)
    world.report("a", "error", attempt=1)
    assert world.state_of("a") == "error failed"


def test_server_that_says_ack_timeout_itself_reports_an_error() -> None:
    world = a_run("a")
    world.report("a", "error", reason="ack_timeout")
    assert world.fact("a").rank == Rank.ERROR


def test_heal_of_run_cancelled_meanwhile_is_cancelled() -> None:
    """The cancellation passes the failed task; the update that heals it looks for one."""
    world = a_run("a  b<-a").after(30)
    update = world.update("a", "started", attempt=1)
    for effects in range(1, 12):
        world = a_run("a  b<-a").after(30)
        resume = world.driver.begin(update, effects=effects)
        world.cancel()
        resume(100)
        assert not world.fact("a").is_live, effects
        if world.fact("a").attempt and world.fact("a").rank == Rank.CANCELLED:
            assert ("a", 1) in world.cancelled


def test_heal_crashed_anywhere_is_finished_by_redelivery() -> None:
    update = a_run("a  b<-a").after(30).update("a", "started", attempt=1)
    for effects in range(1, 20):
        world = a_run("a  b<-a").after(30)
        done = world.driver.crash(update, after=effects)
        world.handle(update)
        assert world.stored_run().status == "running", effects
        assert world.after(1802).state_of("a") == "error run_timeout", effects
        if done < effects:
            return
    raise AssertionError("the update did not end within 20 effects")


def test_update_that_heals_reads_no_page() -> None:
    world = a_run("a  b<-a").after(30)
    program = program_of(world.update("a", "started", attempt=1))
    assert program is not None
    effect = program.send(None)
    try:
        while True:
            assert not isinstance(effect, ReadPage)
            effect = program.send(PERFORM[type(effect)](world.driver.ports, effect))
    except StopIteration:
        pass


def test_heal_of_cancelled_run_crashed_is_cancelled_again() -> None:
    world = a_run("a").after(17)
    world.cancel()
    assert world.cancelled == []
    update = world.update("a", "queued", attempt=1)
    world.driver.crash_once(update, lambda: world.fact("a").rank == Rank.CANCELLED)
    assert world.cancelled == []
    world.handle(update)
    assert world.cancelled == [("a", 1)]
