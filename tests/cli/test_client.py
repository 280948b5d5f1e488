"""The Python client: what it sends, what it returns, and what it raises."""

import asyncio
import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import cordyna
from cli.fake_engine import FakeEngine, refused
from cli.run_builders import RUN, T0, a_run, a_task, completed_run, failed_run
from cli.sample_messages import TEXTS
from cordyna_cli.client import (
    AsyncClient,
    Client,
    RunFailed,
    RunHandle,
    RunTimeout,
    connect,
    outcome,
)
from cordyna_cli.client import sync_client as module
from cordyna_cli.engine import Invoked
from cordyna_core import errors as core_errors
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.views.runs import LogLine, PassedEvent, RunSummary
from cordyna_core.errors import NotFound, Refusal, ServiceError, UserError

LIVE = a_run(a_task("task-3", "", "dispatched@0 started@1"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def opened(engine: FakeEngine) -> Client:
    return connect(engines={"embedded": engine.open, "aws": engine.open})


def a_live_run(engine: FakeEngine) -> RunHandle:
    return opened(engine).run(RUN)


def test_meta_distribution_exports_the_client() -> None:
    assert cordyna.connect is connect


def test_every_error_that_the_client_names_is_exported() -> None:
    """What a docstring says is raised, a program must be able to catch."""
    errors = {name for module in (core_errors, outcome) for name in vars(module)}
    for owner in (cordyna.Client, cordyna.RunHandle, cordyna.AsyncClient, cordyna.AsyncRunHandle):
        docs = " ".join(inspect.getdoc(member) or "" for member in (owner, *vars(owner).values()))
        named = errors & set(re.findall(r"\b[A-Z]\w+", docs)) - {"Client", "RunHandle"}
        assert named - set(cordyna.__all__) == set(), owner
    assert {"Refusal", "NotFound", "RunFailed"} <= set(cordyna.__all__)
    assert set(cordyna.__all__) == set(__import__("cordyna_cli.client").client.__all__)


def test_connect_reads_the_settings_of_dyna(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.cordyna]\nservers = ["shop.py"]\nhome = "here"\n')
    engine = FakeEngine()

    with opened(engine):
        assert engine.options is not None
        assert engine.options.servers == (str(folder / "shop.py"),)
        assert engine.options.home == str(folder / "here")
    assert engine.closed


def test_connect_with_a_profile_opens_the_cloud(folder: Path) -> None:
    embedded, cloud = FakeEngine(), FakeEngine()

    connect(profile="prod", engines={"embedded": embedded.open, "aws": cloud.open}).close()

    assert (embedded.options, cloud.options and cloud.options.profile) == (None, "prod")


def test_connect_with_excluding_settings_raises(folder: Path) -> None:
    with pytest.raises(UserError, match="exclude each other"):
        connect(servers=["shop.py"], profile="prod")


def test_invoke_sends_every_field_and_returns_the_result(folder: Path) -> None:
    engine = FakeEngine(views=[completed_run()])

    run = opened(engine).invoke(
        "task-3", {"day": "monday"}, key="k", max_age_s=60, labels={"by": "me"}
    )

    assert engine.commands == [
        InvokeTask(
            task="task-3", params={"day": "monday"}, key="k", max_age_s=60, labels={"by": "me"}
        )
    ]
    assert (run.run_id, run.result(), run.view().state) == (RUN, {"rows": 6}, "completed")


@pytest.mark.parametrize("joins", [True, False])
def test_client_that_joins_no_run_starts_its_own(joins: bool) -> None:  # noqa: FBT001
    engine = FakeEngine(views=[completed_run()])

    Client(engine, joins=joins).invoke("task-3", join=True)

    assert engine.joined_with is joins


@pytest.mark.parametrize(("key", "joins"), [(None, True), ("k", False)])
def test_invoke_joins_only_a_run_without_key(folder: Path, key: str | None, joins: bool) -> None:  # noqa: FBT001
    engine = FakeEngine()

    opened(engine).invoke("task-3", key=key, join=True)

    assert engine.joined_with is joins


def test_refused_invocation_raises_with_its_problems(folder: Path) -> None:
    engine = FakeEngine(answer=refused("missing_param", "day is missing"))

    with pytest.raises(Refusal, match='task "task-3" cannot be invoked: day is missing') as raised:
        opened(engine).invoke("task-3")

    assert [problem.code for problem in raised.value.problems] == ["missing_param"]


def test_invocation_that_the_contract_forbids_raises(folder: Path) -> None:
    with pytest.raises(Refusal, match="a name has 1 to 128 characters"):
        opened(FakeEngine()).invoke("no task")


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda client: client.invoke("t", [1]), "params is list, and not a dict"),
        (lambda client: client.invoke("t", labels="x"), "labels is str, and not a dict"),
        (lambda client: client.runs(-1), "limit=-1 is negative"),
        (lambda client: client.runs(state="bad"), "runs cannot be listed\n.*state"),
        (lambda client: client.runs(task="ü"), "runs cannot be listed\n.*task"),
    ],
)
def test_wrong_argument_is_named(folder: Path, call: Any, what: str) -> None:
    with pytest.raises(UserError, match=what):
        call(opened(FakeEngine()))


@pytest.mark.parametrize(
    ("task", "key", "step"),
    [("t", "", "next: correct that"), ("ü", None, "next: `dyna tasks` lists all tasks")],
)
def test_forbidden_field_says_what_to_do_about_it(
    folder: Path, task: str, key: str | None, step: str
) -> None:
    with pytest.raises(Refusal, match=step):
        opened(FakeEngine()).invoke(task, key=key)


def test_retry_of_one_text_is_refused(folder: Path) -> None:
    engine = FakeEngine(views=[LIVE])
    with pytest.raises(UserError, match=r"tasks='load' is one text.*\n.*pass \['load'\]"):
        a_live_run(engine).retry("load")


def test_run_that_does_not_exist_raises(folder: Path) -> None:
    with pytest.raises(NotFound):
        opened(FakeEngine()).run(RUN)


def test_failed_run_raises_with_its_root_causes(folder: Path) -> None:
    view = failed_run()

    with pytest.raises(RunFailed, match=f"run {RUN} of {view.task} ended in error") as raised:
        a_live_run(FakeEngine(views=[view])).result()

    assert raised.value.view == view
    assert all(cause.task in raised.value.why for cause in view.root_causes)


def test_cancelled_run_raises_and_says_so(folder: Path) -> None:
    view = a_run(a_task("t", "", "error:cancelled@1"), state="error", cancelled=True)

    with pytest.raises(RunFailed, match="was cancelled"):
        a_live_run(FakeEngine(views=[view])).result()


def test_wait_that_is_too_short_raises_with_the_view(folder: Path) -> None:
    engine = FakeEngine(views=[LIVE])

    with pytest.raises(RunTimeout, match="has not ended after 2 s") as raised:
        a_live_run(engine).wait(2)

    assert (raised.value.view, engine.waited) == (LIVE, 2)


def test_poll_returns_a_live_run_as_it_is(folder: Path) -> None:
    assert a_live_run(FakeEngine(views=[LIVE])).poll(1) == LIVE


def test_cancel_and_retry_send_their_commands(folder: Path) -> None:
    engine = FakeEngine(views=[failed_run()])
    run = a_live_run(engine)

    run.cancel()
    run.retry()
    run.retry(["task-1"], downstream=True)

    assert engine.commands == [
        CancelRun(run_id=RUN),
        RetryRun(run_id=RUN),
        RetryRun.model_validate({"run_id": RUN, "from": ["task-1"], "downstream": True}),
    ]


def test_refused_cancel_raises(folder: Path) -> None:
    engine = FakeEngine(views=[completed_run()], refuses=refused("run_over", "it has completed"))

    with pytest.raises(Refusal, match=f"run {RUN} cannot be cancelled: it has completed"):
        a_live_run(engine).cancel()


def test_lists_come_from_the_engine(folder: Path) -> None:
    summary = RunSummary(run_id=RUN, task="task-1", state="completed", created_at=T0)
    line = LogLine(run_id=RUN, task="task-1", attempt=1, stream="stdout", at=T0, text="x\n")
    engine = FakeEngine(views=[LIVE], summaries=[summary], printed=[line])
    client = opened(engine)

    assert client.runs(state="completed") == [summary]
    assert client.runs(state="error") == []
    assert (client.tasks(), client.servers()) == ([], [])
    assert client.run(RUN).logs("task-1") == [line]


# --- events -----------------------------------------------------------------------------------
EVENTS = [PassedEvent(seq=seq, text=text) for seq, text in enumerate(TEXTS, 1)]


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """A clock that steps by a second whenever it is read."""
    clock = iter(range(1_000_000))
    monkeypatch.setattr(f"{module.__name__}.time.monotonic", lambda: float(next(clock)))
    return iter(())


def test_subscribe_opens_each_event_also_an_unreadable_one(
    folder: Path, moments: Iterator[float]
) -> None:
    events = list(opened(FakeEngine(passed=EVENTS)).subscribe(after=1, timeout_s=5))

    assert [event.seq for event in events] == [event.seq for event in EVENTS[1:]]
    assert (events[0].type, events[0].source) == ("DeclarationAccepted", "cordyna.cerebro")
    assert (events[-1].type, events[-1].source, events[-1].at) == (None, None, None)
    assert events[-1].text == TEXTS[-1]


def test_events_of_a_run_end_with_the_run(folder: Path, moments: Iterator[float]) -> None:
    text = f'{{"run_id": "{RUN}"}}'
    engine = FakeEngine(views=[completed_run()], passed=[PassedEvent(seq=7, text=text)])

    assert [event.seq for event in a_live_run(engine).events()] == [7]


def test_events_of_a_live_run_end_after_their_time(folder: Path, moments: Iterator[float]) -> None:
    assert list(a_live_run(FakeEngine(views=[LIVE])).events(timeout_s=3)) == []


@dataclass
class LateLog(FakeEngine):
    """The log of a cloud: nothing of the run at first, and its end behind the run's end."""

    answers: list[Sequence[PassedEvent]] = field(default_factory=list)

    def events(
        self, run_id: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> list[PassedEvent]:
        answer = self.answers.pop(0) if self.answers else None
        if answer is None:
            raise ServiceError("the log of the bus has no event of this run.")
        return list(answer)


def test_events_of_a_cloud_are_awaited_behind_the_end(
    folder: Path, moments: Iterator[float]
) -> None:
    engine = LateLog(
        views=[completed_run()], has_live_events=False, answers=[[], EVENTS[:1], EVENTS[1:2]]
    )

    assert [event.seq for event in a_live_run(engine).events()] == [1, 2]


def test_events_of_a_damaged_home_raise(folder: Path) -> None:
    engine = LateLog(views=[completed_run()])

    with pytest.raises(ServiceError):
        list(a_live_run(engine).events())


# --- async ------------------------------------------------------------------------------------
def async_client(engine: FakeEngine) -> AsyncClient:
    return AsyncClient(lambda: opened(engine))


def test_async_client_does_what_the_client_does(folder: Path) -> None:
    engine = FakeEngine(views=[completed_run()], passed=EVENTS, summaries=[])

    async def use() -> list[Any]:
        async with async_client(engine) as client:
            run = await client.invoke("task-3")
            same = await client.run(RUN)
            await same.cancel()
            await same.retry(["task-1"])
            return [
                run.run_id,
                await run.result(),
                (await run.view()).state,
                await run.logs(),
                await client.runs(),
                await client.tasks(),
                await client.servers(),
                [event.seq async for event in client.subscribe(after=20, timeout_s=0)],
                [event.seq async for event in same.events(timeout_s=0)],
            ]

    answers = asyncio.run(use())

    assert answers[:3] == [RUN, {"rows": 6}, "completed"]
    assert answers[7] == [event.seq for event in EVENTS if event.seq > 20]
    assert [type(command) for command in engine.commands] == [InvokeTask, CancelRun, RetryRun]
    assert engine.closed


def test_async_wait_that_is_too_short_raises(folder: Path) -> None:
    engine = FakeEngine(views=[LIVE], answer=Invoked(RUN))

    async def use() -> None:
        async with async_client(engine) as client:
            await (await client.invoke("task-3")).wait(0)

    with pytest.raises(RunTimeout):
        asyncio.run(use())


def test_async_client_outside_of_with_raises() -> None:
    with pytest.raises(RuntimeError, match="use it in `async with`"):
        asyncio.run(async_client(FakeEngine()).tasks())
