"""A server with a work queue: what waits for a worker is acknowledged, what begins soon is not."""

import pytest

from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.state_updates import TaskStateChanged
from e2e.cloud import Cloud
from e2e.scenarios import ended
from e2e.team import BUSY, Team

TWO_AT_A_TIME = "2"
RUNS_UNTIL_WARM_MAX = 6


def test_only_commands_that_wait_are_acknowledged(
    cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> None:
    busy = Team(
        cloud,
        tmp_path_factory.mktemp("busy"),
        server="task-server-busy",
        code=BUSY,
        bodies=TWO_AT_A_TIME,
    )
    busy.app.deploy()
    start_processes(cloud)

    run_id = invoked(cloud, seconds=12)

    assert ended(cloud, run_id, within_s=120) == "completed"

    commands = {e.message.task: e for e in cloud.of(RunTask, run_id)}
    queued = {e.message.task: e for e in cloud.of(TaskStateChanged, run_id, state="queued")}
    began = {e.message.task: e.sent_at for e in cloud.of(TaskStateChanged, run_id, state="started")}
    parts = set(commands) - {"parts-joined"}
    waited = {task for task in parts if began[task] > commands[task].message.ack_by}
    # Each part takes twelve seconds, so the third and the fourth begin after the first clock.
    assert waited
    assert waited <= set(queued) <= parts
    assert all(queued[task].sent_at < commands[task].message.ack_by for task in queued)
    soon = {t for t in parts if (began[t] - commands[t].sent_at).total_seconds() < 2}
    assert not soon & set(queued)
    assert {e.message.attempt for e in commands.values()} == {1}
    busy.app.delete()


def start_processes(cloud: Cloud) -> None:
    """Invoke the parts until each function has its process.

    To start one may take longer than a clock; then a run fails, or is not acknowledged.
    """
    for _ in range(RUNS_UNTIL_WARM_MAX):
        run_id = invoked(cloud, seconds=6)
        is_completed = ended(cloud, run_id, within_s=120) == "completed"
        if is_completed and cloud.of(TaskStateChanged, run_id, state="queued"):
            return
    raise AssertionError(f"no run of {RUNS_UNTIL_WARM_MAX} was completed and acknowledged")


def invoked(cloud: Cloud, *, seconds: float) -> str:
    """Invoke all parts with bodies that take so long; return the run."""
    command = {"task": "parts-joined", "params": {"seconds": seconds}}
    return run_id_of("parts-joined", cloud.put("InvokeTask", command))
