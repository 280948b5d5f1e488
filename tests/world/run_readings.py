"""Run readings: runs in any state, and what a query reads of them."""

from hypothesis import strategies as st

from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.handlers import queries
from world.scenarios import ReactionWorld, a_world

STATES = ("", "queued", "started", "completed", "error")
Reading = tuple[Run, RunSnapshot, dict[int, TaskRun]]


@st.composite
def worlds(draw: st.DrawFn) -> ReactionWorld:
    """A run of up to nine tasks in any state, retried, late or cancelled."""
    size = draw(st.integers(1, 9))
    names = [f"t{index}" for index in range(size)]
    words = []
    for index, name in enumerate(names):
        needs = draw(st.sets(st.sampled_from(names[:index]), max_size=3)) if index else set()
        last = index == size - 1 and size > 1
        needs = set(names[:-1]) if last and not needs else needs
        words.append(name + (f"<-{','.join(sorted(needs))}" if needs else ""))
    world = a_world("  ".join(words), retries=draw(st.integers(0, 1)))
    world.invoke(names[-1], key="k")
    for name in names:
        state = draw(st.sampled_from(STATES))
        if state and name in {sent for sent, _ in world.sent}:
            world.reach(name, state)
        if draw(st.integers(0, 9)) == 0:
            world.after(draw(st.sampled_from([1.0, 12.0, 700.0])))
    if draw(st.integers(0, 5)) == 0:
        world.cancel()
    if draw(st.integers(0, 2)) == 0:
        _answer_late(draw, world)
    return world


def _answer_late(draw: st.DrawFn, world: ReactionWorld) -> None:
    """What was sent is answered after its clocks, perhaps when it is tried again."""
    world.after(2_000.0)
    if draw(st.booleans()):
        world.retry()
    for name, attempt in draw(st.permutations(world.sent)):
        world.after(1.0)
        world.report(name, draw(st.sampled_from(["error", "completed"])), attempt=attempt)


def reading_of(world: ReactionWorld) -> Reading:
    (run,) = world.driver.store.runs(1)
    return queries.read_all(world.driver.store, run.id)
