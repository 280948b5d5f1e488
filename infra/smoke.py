"""Smoke test of a deployed cordyna, also of one in a real account: about ten minutes.

    make smoke PROFILE=staging

It drives `dyna --profile PROFILE` and the AWS APIs as a person would, and prints a report that can
be pasted into an issue. It needs the task servers a and b of this repository, and the permissions
of `cordyna-...-invoke` and `-look`; a step that needs more says what, and is not tried.

Invariant: it changes nothing but what runs change: it invokes, cancels and retries tasks. A
schedule that it makes is gone when it ends.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4  # noqa: TID251  each smoke test is a new cause

import boto3
from botocore.exceptions import BotoCoreError, ClientError

DYNA: Final = Path(sys.executable).with_name("dyna")
COMMAND_TIMEOUT_S: Final = 300
AWS_DOMAINS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws")
AHEAD_S: Final = 5
SCHEDULE_GONE_WITHIN_S: Final = 180
POLL_INTERVAL_S: Final = 5
NEWEST: Final = "200"
"""How many runs are looked through."""

CANCELLED_RUN_S: Final = 60
"""The run that is cancelled lasts so long if it is not."""

REFUSED: Final = 3
"""dyna's exit status for what is not known."""
NO_ACCESS: Final = 4
"""dyna's exit status for AWS that does not answer, or credentials that it refuses."""


class Sign(StrEnum):
    """How a step ended."""

    PASSED = "✓"
    FAILED = "✗"
    NOT_TRIED = "○"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one step."""

    step: str
    sign: Sign
    seconds: float
    finding: str


class StepFailed(AssertionError):
    """A step saw something else than it expected; the text says what."""


class NoAccess(StepFailed):
    """The deployment cannot be reached, so no other step can find out anything."""


class NotTried(Exception):
    """A step cannot be tried here; the text says why."""


class Dyna:
    """The command line of one profile."""

    def __init__(self, profile: str) -> None:
        self._profile = profile

    def __call__(self, *words: str, status: int = 0, also: int | None = None) -> str:
        """Run a command; its output. Raises StepFailed unless it exits with `status` or `also`."""
        done = subprocess.run(
            [str(DYNA), "--profile", self._profile, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_TIMEOUT_S,
        )
        if done.returncode not in (status, also):
            output = (done.stderr or done.stdout).strip()[-500:]
            kind = NoAccess if done.returncode == NO_ACCESS else StepFailed
            raise kind(f"`dyna {' '.join(words)}` exited with {done.returncode}: {output}")
        return done.stdout

    def settings(self) -> dict[str, str]:
        """The profile. Raises StepFailed if it does not exist."""
        config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "cordyna"
        file = config / f"{self._profile}.toml"
        if not file.is_file():
            raise StepFailed(f"there is no profile {file}")
        return tomllib.loads(file.read_text())

    def client(self, service: str) -> Any:
        """A client of AWS with the credentials of the profile."""
        settings = self.settings()
        session = boto3.Session(profile_name=settings.get("profile"))
        return session.client(  # type: ignore[call-overload]
            service,
            # botocore itself does not read AWS_REGION, which dyna and the other tools do.
            region_name=settings.get("region") or os.environ.get("AWS_REGION"),
            endpoint_url=settings.get("endpoint_url"),
        )

    def is_emulator(self) -> bool:
        """Whether the profile, the environment or the configuration of AWS names an emulator."""
        endpoint = self.settings().get("endpoint_url") or self.client("events").meta.endpoint_url
        return not (urlsplit(endpoint).hostname or "").endswith(AWS_DOMAINS)

    def json(self, *words: str, status: int = 0) -> Any:
        """The JSON output of a command."""
        return json.loads(self(*words, "--json", status=status))


Step = Callable[[Dyna], str]


def doctor_answers(dyna: Dyna) -> str:
    """Dead letters of what ran before do not fail the step; every other finding does."""
    lines = [line for line in dyna("doctor", also=1).splitlines() if line.strip()]
    bad = [line for line in lines if line.startswith("✗") and "dead letter" not in line]
    expect(not bad, "; ".join(bad))
    return f"{len(lines)} checks"


def task_runs_across_servers(dyna: Dyna) -> str:
    run = dyna.json("do", "task-3")
    expect(run["state"] == "completed", f"task-3 ended {run['state']}")
    return f"run {run['run_id']}: {len(run['tasks'])} tasks completed"


def hop_latency_is_shown(dyna: Dyna) -> str:
    started = time.monotonic()
    dyna.json("do", "task-1")
    return f"a run of one task took {time.monotonic() - started:.1f} s, with dyna's own start"


def failure_blocks_only_its_downstream(dyna: Dyna) -> str:
    run = dyna.json("do", "weekly-digest", status=1)
    reasons = {task["task"]: task["reason"] for task in run["tasks"]}
    expect(reasons["weekly-digest"] == "blocked", f"weekly-digest: {reasons['weekly-digest']}")
    completed = [task for task in run["tasks"] if task["state"] == "completed"]
    expect(len(completed) >= 3, f"only {len(completed)} tasks completed")
    return "what does not need the failed task completed"


def unknown_task_is_refused(dyna: Dyna) -> str:
    dyna("do", "no-such-task", status=REFUSED)
    return "with exit status 3"


def same_key_is_the_same_run(dyna: Dyna) -> str:
    key = f"smoke-{uuid4().hex}"
    first, second = (dyna.json("do", "task-1", "--key", key)["run_id"] for _ in range(2))
    expect(first == second, f"{first} and {second}")
    return f"run {first}"


def cancelled_run_ends(dyna: Dyna) -> str:
    """The first task waits for longer than the cancellation takes, so the run cannot complete."""
    words = ("do", "catalogue-page", "--param", f"wait_s={CANCELLED_RUN_S}", "--detach", "--new")
    run_id = dyna.json(*words)["run_id"]
    dyna("cancel", run_id)
    listed = [run for run in dyna.json("runs", "-n", NEWEST) if run["run_id"] == run_id]
    expect(listed, f"run {run_id} is not among the newest {NEWEST}")
    found = {name: listed[0][name] for name in ("state", "cancelled")}
    expect(found == {"state": "error", "cancelled": True}, f"run {run_id} is {found}")
    return f"run {run_id}"


def cron_fires(dyna: Dyna) -> str:
    """EventBridge Scheduler fires within a minute of the nominal time."""
    before = runs_of(dyna, "order-pulse")
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        if fired := runs_of(dyna, "order-pulse") - before:
            return f"run {min(fired)}"
        time.sleep(10)
    raise StepFailed("order-pulse did not run within 150 s")


def forged_sources_are_denied(dyna: Dyna) -> str:
    """IAM must refuse a request with a foreign source, alone or beside an allowed one."""
    if dyna.is_emulator():
        raise NotTried("an emulator enforces no policy")
    for sources in (("cordyna.cerebro",), ("cordyna.client", "cordyna.cerebro")):
        try:
            dyna.client("events").put_events(
                Entries=[
                    {
                        "EventBusName": dyna.settings().get("bus", "cordyna"),
                        "Source": source,
                        "DetailType": "SmokeTest",
                        "Detail": "{}",
                    }
                    for source in sources
                ]
            )
        except ClientError as refused:
            code = refused.response["Error"]["Code"]
            expect(code == "AccessDeniedException", f"{sources}: {code}")
        else:
            raise StepFailed(f"{', '.join(sources)} was accepted: the bus's policy should deny it")
    return "alone and beside an allowed source"


def metric_math_fills_gaps(dyna: Dyna) -> str:
    """The alarms add metrics that may have no data: FILL must turn that into 0."""
    if dyna.is_emulator():
        raise NotTried("an emulator has no metric math")
    bus = dyna.settings().get("bus", "cordyna")
    metric = {"Namespace": bus, "MetricName": "NoSuchMetric"}
    now = datetime.now(UTC)  # noqa: TID251  what an account holds is asked for by its own time
    answer = dyna.client("cloudwatch").get_metric_data(
        StartTime=now - timedelta(minutes=30),
        EndTime=now,
        MetricDataQueries=[
            {
                "Id": "missing",
                "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"},
                "ReturnData": False,
            },
            {"Id": "filled", "Expression": "FILL(missing, 0) + 0"},
        ],
    )
    (series,) = answer["MetricDataResults"]
    expect(series["Values"], "no values: alarms on sums, and what wakes a container, are blind")
    return f"{len(series['Values'])} values for a metric without data"


def schedule_fires_that_is_made_seconds_ahead(dyna: Dyna) -> str:
    """A page timer beyond a minute is a schedule that may be made five seconds before its time."""
    scheduler, group = dyna.client("scheduler"), dyna.settings().get("bus", "cordyna")
    name, cron = f"smoke-{uuid4().hex}", "cron-order-pulse"
    try:
        listed = scheduler.list_schedules(GroupName=group, NamePrefix=cron)["Schedules"]
        expect(listed, f"there is no schedule {cron}")
        # Its target, so it does what that cron does.
        target = scheduler.get_schedule(GroupName=group, Name=listed[0]["Name"])["Target"]
        due = datetime.now(UTC) + timedelta(seconds=AHEAD_S)  # noqa: TID251  of EventBridge
        scheduler.create_schedule(
            GroupName=group,
            Name=name,
            ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target=target,
        )
    except ClientError as refused:
        if refused.response["Error"]["Code"] != "AccessDeniedException":
            raise
        needed = "it needs scheduler:CreateSchedule beside the policy `operate`"
        raise NotTried(needed) from refused
    try:
        return f"done {_seconds_until_gone(scheduler, group, name)} s after it was made"
    except BaseException:
        scheduler.delete_schedule(GroupName=group, Name=name)
        raise


def _seconds_until_gone(scheduler: Any, group: str, name: str) -> int:
    """Wait until a schedule has been done. Raises StepFailed, and what botocore raises."""
    for waited_s in range(0, SCHEDULE_GONE_WITHIN_S, POLL_INTERVAL_S):
        try:
            scheduler.get_schedule(GroupName=group, Name=name)
        except ClientError as missing:
            if missing.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return waited_s
        time.sleep(POLL_INTERVAL_S)
    raise StepFailed(f"it was not done {SCHEDULE_GONE_WITHIN_S} s after it was made")


STEPS: Final[tuple[Step, ...]] = (
    doctor_answers,
    task_runs_across_servers,
    hop_latency_is_shown,
    failure_blocks_only_its_downstream,
    unknown_task_is_refused,
    same_key_is_the_same_run,
    cancelled_run_ends,
    forged_sources_are_denied,
    metric_math_fills_gaps,
    schedule_fires_that_is_made_seconds_ahead,
    cron_fires,
)


_FAILURES: Final = (
    StepFailed,
    subprocess.TimeoutExpired,
    ValueError,
    KeyError,
    BotoCoreError,
    ClientError,
)
"""What a step may raise; the steps after it are still run."""


def runs_of(dyna: Dyna, task: str) -> set[str]:
    """The newest runs of a task."""
    return {run["run_id"] for run in dyna.json("runs", "-n", NEWEST) if run["task"] == task}


def expect(condition: object, finding: str) -> None:
    """Raise StepFailed with what was found, unless the condition holds."""
    if not condition:
        raise StepFailed(finding)


def run_steps(dyna: Dyna, steps: tuple[Step, ...] = STEPS) -> Iterator[Result]:
    """Every step, even after one that failed; none after one that raised NoAccess."""
    out_of_reach = False
    for step in steps:
        name, began = step.__name__.replace("_", " "), time.monotonic()
        if out_of_reach:
            yield Result(name, Sign.NOT_TRIED, 0, "the deployment cannot be reached")
            continue
        try:
            finding, sign = step(dyna), Sign.PASSED
        except NotTried as why:
            finding, sign = str(why), Sign.NOT_TRIED
        except _FAILURES as failure:
            finding, sign = f"{type(failure).__name__}: {failure}", Sign.FAILED
            out_of_reach = isinstance(failure, NoAccess)
        yield Result(name, sign, time.monotonic() - began, finding)


def report(results: Iterator[Result]) -> int:
    """Print each result, and how many there are of each sign; 1 if one failed, else 0."""
    signs: Counter[Sign] = Counter()
    for result in results:
        sys.stdout.write(
            f"{result.sign}  {result.step:42} {result.seconds:6.1f} s  {result.finding}\n"
        )
        sys.stdout.flush()
        signs[result.sign] += 1
    sys.stdout.write(
        f"{signs[Sign.PASSED]} steps passed, {signs[Sign.FAILED]} failed, "
        f"{signs[Sign.NOT_TRIED]} not tried\n"
    )
    return int(signs[Sign.FAILED] > 0)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="A smoke test of a deployed cordyna")
    parser.add_argument("profile", help="dyna's profile, such as `local` or `staging`")
    return report(run_steps(Dyna(parser.parse_args().profile)))


if __name__ == "__main__":
    raise SystemExit(main())
