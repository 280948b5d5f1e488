"""dyna prune: delete what ended long ago, or one run."""

from dataclasses import dataclass, field

import pytest

from cli.fake_engine import FakeEngine
from cli.fake_operations import CloudEngine, FakeOperations
from cli.run_builders import RUN, T0
from cli.run_dyna import dyna
from cordyna_core.contract.views.runs import RunSummary

ENDED = RunSummary(run_id=RUN, task="task-3", state="completed", created_at=T0)


@dataclass
class Pruning(FakeOperations):
    known: list[str] = field(default_factory=lambda: [RUN])

    def prune(self, older_than_s: float) -> int:
        return int(older_than_s // 86400)

    def prune_run(self, run_id: str) -> bool:
        return run_id in self.known


def home(operations: FakeOperations) -> FakeEngine:
    return CloudEngine(operations=operations, summaries=[ENDED])


def test_prune_counts_the_runs_that_it_deleted() -> None:
    assert dyna("prune", "--older-than", "1d", engine=home(Pruning())).out == "1 run deleted\n"
    assert dyna("prune", engine=home(Pruning())).out == "30 runs deleted\n"


def test_prune_takes_the_beginning_of_an_id() -> None:
    result = dyna("prune", "--run", RUN[:5].lower(), engine=home(Pruning()))

    assert (result.status, result.out) == (0, f"run {RUN} deleted\n")


def test_prune_of_unknown_run_exits_with_3() -> None:
    for typed in (RUN, "XYZZ"):
        result = dyna("prune", "--run", typed, engine=home(Pruning(known=[])))

        assert result.status == 3
        assert result.err.startswith(f'error: there is no run "{typed}".\n')
        assert result.err.endswith("  next: `dyna runs` lists the newest\n")


@pytest.mark.parametrize("typed", ["", RUN[:1], RUN[:3]])
@pytest.mark.parametrize("command", [("prune", "--run"), ("cancel",)])
def test_short_beginning_neither_deletes_nor_cancels(command: tuple[str, ...], typed: str) -> None:
    """It may be a slip, or a variable of a shell that is not set."""
    engine = home(Pruning())
    result = dyna(*command, typed, engine=engine)

    assert (result.status, result.out, engine.commands) == (1, "", [])
    assert result.err.startswith(f'error: "{typed}" is too short to name a run')


def test_prune_on_aws_says_what_expires_by_itself() -> None:
    result = dyna("prune", engine=home(FakeOperations()))

    assert (result.status, "expires by itself" in result.err) == (1, True)
