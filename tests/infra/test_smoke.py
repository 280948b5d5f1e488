"""The smoke test itself: its steps notice what is wrong."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

import smoke
from smoke import Dyna, NoAccess, NotTried, Result, Sign, StepFailed, report, run_steps
from task_server_a.server import server


class FakeDyna(Dyna):
    """Answers every command from a table; `status` must be the expected one."""

    def __init__(self, **answers: Any) -> None:
        super().__init__("fake")
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, *words: str, status: int = 0, also: int | None = None) -> str:
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


CANCELLED = {"run_id": "R1", "state": "error", "cancelled": True}


def test_run_that_is_cancelled_passes_its_step() -> None:
    dyna = FakeDyna(do=RUN, runs=[RUN | {"run_id": "R2"}, CANCELLED])
    assert "R1" in smoke.cancelled_run_ends(dyna)
    assert dyna.asked[1] == ("cancel", "R1")


@pytest.mark.parametrize("state", ["error", "running"])
def test_run_that_does_not_complete_fails_its_step(state: str) -> None:
    with pytest.raises(StepFailed, match=state):
        smoke.task_runs_across_servers(FakeDyna(do=RUN | {"state": state}))


@pytest.mark.parametrize(
    "run",
    [
        CANCELLED | {"state": "running"},
        CANCELLED | {"state": "completed", "cancelled": False},
        CANCELLED | {"cancelled": False},
    ],
)
def test_run_that_is_not_cancelled_fails_its_step(run: dict[str, Any]) -> None:
    with pytest.raises(StepFailed, match=f"{run['state']}.*{run['cancelled']}"):
        smoke.cancelled_run_ends(FakeDyna(do=RUN, runs=[run]))


def test_cancelled_run_that_is_not_listed_fails_its_step() -> None:
    with pytest.raises(StepFailed, match="not among"):
        smoke.cancelled_run_ends(FakeDyna(do=RUN, runs=[]))


def test_cancellation_that_is_refused_fails_its_step() -> None:
    dyna = FakeDyna(do=RUN, runs=[CANCELLED], cancel=StepFailed("there is nothing to cancel"))
    with pytest.raises(StepFailed, match="nothing to cancel"):
        smoke.cancelled_run_ends(dyna)


def test_cancelled_run_lasts_by_a_parameter_of_its_tasks() -> None:
    dyna = FakeDyna(do=RUN, runs=[CANCELLED])
    smoke.cancelled_run_ends(dyna)
    name, _, seconds = dyna.asked[0][dyna.asked[0].index("--param") + 1].partition("=")
    (task,) = [task for task in server.declaration.tasks if task.name == "thumbnail"]
    assert task.params_schema is not None
    assert 60 <= float(seconds) <= task.params_schema["properties"][name]["maximum"]


def test_failure_that_stops_everything_fails_its_step() -> None:
    tasks = [{"task": "weekly-digest", "state": "pending", "reason": "blocked"}]
    with pytest.raises(StepFailed, match="only 0 tasks"):
        smoke.failure_blocks_only_its_downstream(FakeDyna(do=RUN | {"tasks": tasks}))


def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Dyna:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "cordyna").mkdir()
    (tmp_path / "cordyna" / "staging.toml").write_text(text)
    return Dyna("staging")


class Aws:
    """Clients whose bus answers with `code`, or accepts everything."""

    meta = SimpleNamespace(endpoint_url="https://events.eu-central-1.amazonaws.com")

    def __init__(self, code: str | None) -> None:
        self.code = code
        self.sources: list[list[str]] = []

    def put_events(self, *, Entries: list[dict[str, str]]) -> None:  # noqa: N803
        self.sources.append([entry["Source"] for entry in Entries])
        if self.code is not None:
            raise ClientError({"Error": {"Code": self.code, "Message": ""}}, "PutEvents")

    values: Sequence[float] = (0.0,) * 6

    def get_metric_data(self, **_: Any) -> dict[str, Any]:
        return {"MetricDataResults": [{"Values": list(self.values)}]}


def in_an_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str | None
) -> tuple[Dyna, Aws]:
    dyna, aws = profile(tmp_path, monkeypatch, 'region = "eu-central-1"\n'), Aws(code)
    monkeypatch.setattr(dyna, "client", lambda service: aws)
    return dyna, aws


def test_forged_sources_that_are_denied_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dyna, aws = in_an_account(tmp_path, monkeypatch, "AccessDeniedException")
    assert smoke.forged_sources_are_denied(dyna)
    assert aws.sources == [["cordyna.cerebro"], ["cordyna.client", "cordyna.cerebro"]]


@pytest.mark.parametrize("code", [None, "ValidationException"])
def test_forged_sources_that_are_not_denied_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str | None
) -> None:
    dyna, _ = in_an_account(tmp_path, monkeypatch, code)
    with pytest.raises(StepFailed, match=r"cordyna\.cerebro"):
        smoke.forged_sources_are_denied(dyna)


def test_metric_math_is_tried_in_an_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dyna, _ = in_an_account(tmp_path, monkeypatch, None)
    assert smoke.metric_math_fills_gaps(dyna).startswith("6 values")


def test_alarm_that_would_be_blind_fails_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dyna, aws = in_an_account(tmp_path, monkeypatch, None)
    aws.values = ()
    with pytest.raises(StepFailed, match="blind"):
        smoke.metric_math_fills_gaps(dyna)


class Scheduler:
    """EventBridge Scheduler: a read of a schedule fails with `missing` after `polls`, or its
    creation is refused.
    """

    def __init__(
        self,
        *,
        polls: int = 3,
        crons: int = 1,
        refused: str | None = None,
        missing: str = "ResourceNotFoundException",
    ) -> None:
        self.polls, self.crons, self.refused, self.missing = polls, crons, refused, missing
        self.made: list[dict[str, Any]] = []
        self.deleted: list[str] = []

    def list_schedules(self, **_: Any) -> dict[str, Any]:
        return {"Schedules": [{"Name": "cron-order-pulse-1"}] * self.crons}

    def get_schedule(self, *, Name: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        if Name.startswith("smoke-"):
            self.polls -= 1
            if self.polls < 0:
                raise ClientError({"Error": {"Code": self.missing}}, "GetSchedule")
        return {"Target": {"Arn": "queue", "RoleArn": "sender"}}

    def create_schedule(self, **schedule: Any) -> None:
        if self.refused is not None:
            raise ClientError({"Error": {"Code": self.refused}}, "CreateSchedule")
        self.made.append(schedule)

    def delete_schedule(self, *, Name: str, **_: Any) -> None:  # noqa: N803
        self.deleted.append(Name)


def with_scheduler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheduler: Scheduler
) -> tuple[Dyna, list[float]]:
    """A profile of an account, and the seconds that its step slept."""
    slept: list[float] = []
    monkeypatch.setattr("smoke.time.sleep", slept.append)
    dyna = profile(tmp_path, monkeypatch, 'bus = "cordyna-staging"\n')
    monkeypatch.setattr(dyna, "client", lambda service: scheduler)
    return dyna, slept


def test_schedule_that_fires_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Scheduler()
    dyna, slept = with_scheduler(tmp_path, monkeypatch, scheduler)
    finding = smoke.schedule_fires_that_is_made_seconds_ahead(dyna)
    assert finding == "done 15 s after it was made"
    assert slept == [5, 5, 5]
    (made,) = scheduler.made
    assert made["Target"] == {"Arn": "queue", "RoleArn": "sender"}
    assert (made["GroupName"], made["ActionAfterCompletion"]) == ("cordyna-staging", "DELETE")
    assert scheduler.deleted == []


@pytest.mark.parametrize(
    ("scheduler", "finding"),
    [(Scheduler(polls=1000), "not done 180 s"), (Scheduler(crons=0), "no schedule cron-order")],
)
def test_schedule_that_does_not_fire_fails_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheduler: Scheduler, finding: str
) -> None:
    dyna, _ = with_scheduler(tmp_path, monkeypatch, scheduler)
    with pytest.raises(StepFailed, match=finding):
        smoke.schedule_fires_that_is_made_seconds_ahead(dyna)
    assert [made["Name"] for made in scheduler.made] == scheduler.deleted


def test_schedule_that_cannot_be_read_any_more_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = Scheduler(missing="InternalServerException")
    dyna, _ = with_scheduler(tmp_path, monkeypatch, scheduler)
    with pytest.raises(ClientError, match="InternalServerException"):
        smoke.schedule_fires_that_is_made_seconds_ahead(dyna)
    assert [made["Name"] for made in scheduler.made] == scheduler.deleted


def test_schedule_that_may_not_be_made_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = smoke.schedule_fires_that_is_made_seconds_ahead
    dyna, _ = with_scheduler(tmp_path, monkeypatch, Scheduler(refused="AccessDeniedException"))
    with pytest.raises(NotTried, match="CreateSchedule"):
        step(dyna)
    monkeypatch.setattr(dyna, "client", lambda service: Scheduler(refused="ValidationException"))
    with pytest.raises(ClientError, match="ValidationException"):
        step(dyna)


def test_steps_of_an_account_are_not_tried_on_an_emulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dyna = profile(tmp_path, monkeypatch, 'endpoint_url = "http://127.0.0.1:1"\n')
    for step in (smoke.forged_sources_are_denied, smoke.metric_math_fills_gaps):
        with pytest.raises(NotTried, match="an emulator"):
            step(dyna)


def test_emulator_of_the_aws_configuration_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "config"
    configuration.write_text("[profile own]\nendpoint_url = http://127.0.0.1:1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(configuration))
    dyna = profile(tmp_path, monkeypatch, 'profile = "own"\nregion = "eu-central-1"\n')
    assert dyna.is_emulator()


def test_region_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    dyna = profile(tmp_path, monkeypatch, 'bus = "cordyna"\n')
    assert dyna.client("events").meta.region_name == "eu-west-1"


def test_missing_profile_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(StepFailed, match="there is no profile"):
        Dyna("nowhere").settings()


@pytest.mark.parametrize(
    "failure",
    [StepFailed("no"), ValueError("no JSON"), KeyError("state"), NoCredentialsError()],
)
def test_steps_continue_after_a_failure(
    failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(dyna: Dyna) -> str:
        raise failure

    def passing(dyna: Dyna) -> str:
        return "fine"

    results = list(run_steps(FakeDyna(), (failing, passing)))
    assert [result.sign for result in results] == [Sign.FAILED, Sign.PASSED]
    assert report(iter(results)) == 1
    assert "✗  failing" in capsys.readouterr().out


def test_steps_after_no_access_are_not_tried(capsys: pytest.CaptureFixture[str]) -> None:
    dyna = FakeDyna(doctor=NoAccess("AWS cannot be reached"))
    results = list(run_steps(dyna))
    assert [result.sign for result in results] == [Sign.FAILED] + 10 * [Sign.NOT_TRIED]
    assert dyna.asked == [("doctor",)]
    assert report(iter(results)) == 1
    out = capsys.readouterr().out
    assert out.count("AWS cannot be reached") == 1
    assert out.endswith("0 steps passed, 1 failed, 10 not tried\n")


def test_step_that_cannot_be_tried_has_its_own_sign(capsys: pytest.CaptureFixture[str]) -> None:
    def step(dyna: Dyna) -> str:
        raise NotTried("an emulator has none")

    assert report(run_steps(FakeDyna(), (step,))) == 0
    assert capsys.readouterr().out.startswith("○  step")


def test_report_without_failures_passes() -> None:
    assert report(iter([Result("a", sign=Sign.PASSED, seconds=0.1, finding="fine")])) == 0


def test_deployment_out_of_reach_is_no_access(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings = 'endpoint_url = "http://127.0.0.1:1"\nregion = "eu-west-1"\n'
    with pytest.raises(NoAccess, match="AWS cannot be reached"):
        profile(tmp_path, monkeypatch, settings)("doctor", also=1)


def test_command_with_another_exit_status_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "DYNA", "/bin/false")
    with pytest.raises(StepFailed, match="exited with 1"):
        Dyna("local")("doctor")


def test_doctor_step_tolerates_dead_letters_only() -> None:
    assert smoke.doctor_answers(FakeDyna(doctor="✓ a\n✗ dead letters 2\n")) == "2 checks"
    with pytest.raises(smoke.StepFailed, match="query"):
        smoke.doctor_answers(FakeDyna(doctor="✗ query failed\n✗ dead letters 2\n"))
