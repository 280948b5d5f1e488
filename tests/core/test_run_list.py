"""List of runs: those that match, the newest first, however they are searched."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cerebro.adapters.memory import MemoryStore
from cerebro.core.model.run import Run
from cerebro.handlers import queries
from cerebro.testing.examples import NOW, a_run
from cordyna_core.contract.ids import CLIENT, SCHEDULER, server_source
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.runs import RunCriteria

SENDERS = {
    CLIENT: "client",
    f"{CLIENT}.ana": "client",
    SCHEDULER: "scheduler",
    server_source("sales"): "server",
}
MOMENTS = st.none() | st.integers(0, 9).map(lambda seconds: utc(NOW + seconds))
RUNS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["running", "completed", "error", "cancelled"]),
        st.sampled_from([None, *SENDERS]),
    ),
    max_size=10,
    unique_by=lambda run: run[0],
)
CRITERIA = st.builds(
    RunCriteria,
    task=st.sampled_from([None, None, "a"]),
    state=st.sampled_from([None, None, None, "running", "completed", "error", "cancelled"]),
    since=MOMENTS,
    until=MOMENTS,
    sender=st.sampled_from([None, None, None, "client", "server", "scheduler"]),
)


def is_wanted(run: Run, wanted: RunCriteria) -> bool:
    """As the criteria describe themselves. The state of a run without failures is its status."""
    return all(
        (
            wanted.task is None or run.task == wanted.task,
            wanted.state is None or run.status == wanted.state,
            wanted.since is None or utc(run.created_at) >= wanted.since,
            wanted.until is None or utc(run.created_at) < wanted.until,
            wanted.sender is None or (run.source and SENDERS[run.source]) == wanted.sender,
        )
    )


@given(RUNS, st.integers(1, 8), CRITERIA)
def test_listed_runs_are_the_newest_that_match(
    drawn: list[Any], limit: int, wanted: RunCriteria
) -> None:
    store = MemoryStore()
    runs = [
        a_run(f"run-{second}", created_at=NOW + second, task=task, status=status, source=source)
        for second, task, status, source in drawn
    ]
    for run in runs:
        assert store.write_run(run, None) is None
    matching = [run for run in runs if is_wanted(run, wanted)]
    newest = sorted(matching, key=lambda run: -run.created_at)[:limit]
    listed = [run.run_id for run in queries.runs(store, limit, wanted)]
    assert listed == [run.id for run in newest]
