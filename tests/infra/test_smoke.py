"""The smoke test itself: its steps notice what is wrong."""

import json
from typing import Any

import pytest

import smoke
from smoke import Dyna, Result, StepFailed, report, run_steps


class FakeDyna(Dyna):
    """Answers every command from a table; `status` must be the expected one."""

    def __init__(self, **answers: Any) -> None:
        super().__init__("fake")
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, *words: str, status: int = 0) -> str:
        self.asked.append(words)
        answer = self.answers.get(words[0], {})
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, str) else json.dumps(answer)


RUN = {"run_id": "R1", "state": "completed", "tasks": [{"task": "task-3", "state": "completed"}]}


def test_steps_pass_on_a_working_system() -> None:
    dyna = FakeDyna(do=RUN, doctor="✓ a\n✓ b\n", show=RUN)
    for step in (smoke.doctor_answers, smoke.task_runs_across_servers, smoke.hop_latency_is_shown):
        assert step(dyna)
    assert "R1" in smoke.same_key_is_the_same_run(dyna)
    assert "R1" in smoke.cancelled_run_ends(dyna)


@pytest.mark.parametrize("state", ["error", "running"])
def test_run_that_does_not_complete_fails_its_step(state: str) -> None:
    with pytest.raises(StepFailed, match=state):
        smoke.task_runs_across_servers(FakeDyna(do=RUN | {"state": state}))


def test_run_that_goes_on_after_a_cancellation_fails_its_step() -> None:
    with pytest.raises(StepFailed, match="running"):
        smoke.cancelled_run_ends(FakeDyna(do=RUN, show=RUN | {"state": "running"}))


def test_failure_that_stops_everything_fails_its_step() -> None:
    tasks = [{"task": "weekly-digest", "state": "pending", "reason": "blocked"}]
    with pytest.raises(StepFailed, match="only 0 tasks"):
        smoke.failure_blocks_only_its_downstream(FakeDyna(do=RUN | {"tasks": tasks}))


@pytest.mark.parametrize("failure", [StepFailed("no"), ValueError("no JSON"), KeyError("state")])
def test_steps_continue_after_a_failure(
    failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(dyna: Dyna) -> str:
        raise failure

    def passing(dyna: Dyna) -> str:
        return "fine"

    results = list(run_steps(FakeDyna(), (failing, passing)))
    assert [result.passed for result in results] == [False, True]
    assert report(iter(results)) == 1
    assert "✗  failing" in capsys.readouterr().out


def test_report_without_failures_passes() -> None:
    assert report(iter([Result("a", passed=True, seconds=0.1, finding="fine")])) == 0


def test_command_with_another_exit_status_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "DYNA", "/bin/false")
    with pytest.raises(StepFailed, match="exited with 1"):
        Dyna("local")("doctor")
