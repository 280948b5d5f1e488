"""Declaring: what the options of a task become, and how mistakes in them are refused."""

import functools
import inspect
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cordyna_core import Context, TaskServer, UserError, fresh
from cordyna_core.contract.declaration import TaskDeclaration
from cordyna_core.contract.envelope import detail_json
from cordyna_core.server.options import OPTIONS, seconds_of, task_name_of
from server.builders import declared, refusal


def test_declare_bare_decorator_names_the_task() -> None:
    server = TaskServer("s")

    @server.task
    def task_3() -> int:
        return 3

    assert task_3() == 3
    assert list(server.tasks) == ["task-3"]


def test_declare_with_options_stays_callable() -> None:
    server = TaskServer("s")

    @server.task(retries=2)
    def task_3(day: str = "today") -> str:
        return day

    assert task_3("monday") == "monday"


def test_declare_all_options_are_in_the_declaration() -> None:
    server = TaskServer("task-server-b", owner="team-b", revision=4)

    @server.task(
        upstream=["task-1", fresh("task-2", within="6h")],
        cron="0 6 * * 1-5",
        timezone="Europe/Berlin",
        overlap="allow",
        retries=2,
        ack_timeout_s=20,
        start_timeout_s="10m",
        run_timeout_s="1h30m",
        owner="team-c",
    )
    def task_3(day: str = "today", *, ctx: Context) -> None:
        """Read one day.

        At length.
        """

    assert server.declaration.model_dump(exclude_none=True, exclude_unset=True) == {
        "server": "task-server-b",
        "contract": "1",
        "revision": 4,
        "tasks": [
            {
                "name": "task-3",
                "upstream": ["task-1", {"task": "task-2", "within_s": 21600}],
                "cron": "0 6 * * 1-5",
                "timezone": "Europe/Berlin",
                "overlap": "allow",
                "retries": 2,
                "ack_timeout_s": 20,
                "start_timeout_s": 600,
                "run_timeout_s": 5400,
                "owner": "team-c",
                "description": "Read one day.",
                "params_schema": {
                    "type": "object",
                    "properties": {"day": {"type": "string", "default": "today"}},
                    "additionalProperties": False,
                },
            }
        ],
    }


def test_declare_defaults_are_not_sent() -> None:
    server = TaskServer("s", revision=0)
    server.task(name="x")(lambda: None)

    assert (
        detail_json(server.declaration)
        == '{"server":"s","contract":"1","revision":0,"tasks":[{"name":"x"}]}'
    )


def test_declare_none_is_the_default() -> None:
    assert declared(timezone=None, retries=None, run_timeout_s=None, cron=None) == TaskDeclaration(
        name="x"
    )


def test_declare_in_a_loop_generates_tasks() -> None:
    server = TaskServer("s")
    for number in range(3):
        server.task(name=f"part-{number}", upstream=[f"part-{number - 1}"] if number else [])(
            lambda number=number: number
        )

    assert [task.upstream_names for task in server.declaration.tasks] == [
        (),
        ("part-0",),
        ("part-1",),
    ]
    assert server.test_run("part-2").output == 2


def test_declare_partial_needs_a_name() -> None:
    def read(region: str, day: str = "today") -> str:
        """Read a region."""
        return region + day

    server = TaskServer("s")
    server.task(name="read-eu")(functools.partial(read, "eu-"))

    assert server.test_run("read-eu", day="monday").output == "eu-monday"
    assert server.declaration.tasks[0].description == "Read a region."
    assert "cannot be the name" in refusal(functools.partial(read, "eu-"), name=None).what


def test_declare_wrapped_function_uses_inner_signature() -> None:
    def body(day: int) -> int:
        return day

    @functools.wraps(body)
    def wrapper(*args: Any, **kwargs: Any) -> int:
        return body(*args, **kwargs) + 1

    server = TaskServer("s")
    server.task(wrapper)

    assert server.test_run("body", day="41").output == 42


def test_declare_name_twice_shows_the_first_place() -> None:
    server = TaskServer("s")
    server.task(name="x")(lambda: 1)

    with pytest.raises(UserError, match='has a task "x" already') as refused:
        server.task(name="x")(lambda: 2)
    assert "test_declaring.py:" in refused.value.why


def test_declare_not_a_function_is_refused() -> None:
    with pytest.raises(UserError, match="'task-1' is not a function"):
        TaskServer("s").task("task-1")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("options", "why", "next_"),
    [
        ({"cron": "often"}, "cron='often'", "five unix fields"),
        ({"timezone": "Mars/Base"}, "unknown time zone 'Mars/Base'", "IANA"),
        ({"overlap": "queue"}, "overlap='queue'", "overlap='skip'"),
        ({"retries": 99}, "retries=99", "from 0 to 20"),
        ({"ack_timeout_s": 0}, "ack_timeout_s=0", "365 days"),
        ({"run_timeout_s": "999d"}, "run_timeout_s=86313600", "365 days"),
    ],
)
def test_declare_wrong_option_says_why_and_next(
    options: dict[str, Any], why: str, next_: str
) -> None:
    refused = refusal(**options)

    assert refused.what == 'task "x" is declared wrongly'
    assert why in refused.why
    assert next_ in refused.next


def test_declare_many_wrong_options_lists_all() -> None:
    assert len(refusal(cron="often", retries=-1).why.splitlines()) == 2


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("upstreams", "did you mean upstream=...?"),
        ("retry", "did you mean retries=...?"),
        ("run_timeout", "did you mean run_timeout_s=...?"),
        ("time_zone", "did you mean timezone=...?"),
        ("corn", "did you mean cron=...?"),
        ("colour", "remove colour=..."),
        ("params_schema", "remove params_schema=..."),
    ],
)
def test_declare_unknown_option_names_the_near_one(option: str, hint: str) -> None:
    options: dict[str, Any] = {option: 1}
    refused = refusal(**options)

    assert refused.what == f"@server.task has no option '{option}'"
    assert refused.next == hint


def test_options_are_those_of_the_signature() -> None:
    (_, overload) = typing.get_overloads(TaskServer.task)
    parameters = inspect.signature(overload).parameters.values()

    assert {p.name for p in parameters if p.kind == p.KEYWORD_ONLY} == set(OPTIONS)


@pytest.mark.parametrize("name", ["a b", "", "-a", "ä", "a\n", "x" * 129, 3])
def test_declare_bad_name_is_refused(name: Any) -> None:
    assert "cannot be the name of a task" in refusal(name=name).what
    assert "cannot be the name of a task" in refusal(upstream=[name]).what
    with pytest.raises(UserError, match="cannot be the name of a server"):
        TaskServer(name)


def test_upstream_that_is_a_function_is_refused_with_its_name() -> None:
    def load_orders() -> None:
        """Is named by its text only."""

    assert refusal(upstream=[load_orders]).next == 'give the name as text: "load-orders"'


def test_declare_upstream_self_twice_or_text_is_refused() -> None:
    assert refusal(upstream="task-1").next == "write upstream=['task-1']"
    assert "names itself" in refusal(upstream=["x"]).what
    assert refusal(upstream=["b", "a", "b", "a"]).what == 'task "x" names an upstream twice: a, b'


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("6h", 21600), ("1d", 86400), ("1h30m", 5400), (45, 45), (0, 0)],
)
def test_seconds_of_number_or_units_is_read(text: str | int, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "90", "1w", "-1s", "1.5h", " 1h", -1, 1.5, True, None, "9999999999s"]
)
def test_seconds_of_anything_else_is_refused(text: Any) -> None:
    with pytest.raises(UserError, match="is not a duration"):
        seconds_of(text)


@given(st.integers(0, 99), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_seconds_of_units_is_their_sum(days: int, hours: int, minutes: int, seconds: int) -> None:
    assert (
        seconds_of(f"{days}d{hours}h{minutes}m{seconds}s")
        == ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    )


def test_fresh_within_zero_is_refused() -> None:
    with pytest.raises(UserError, match="can never be met"):
        fresh("task-1", within=0)
    with pytest.raises(UserError, match="cannot be the name"):
        fresh("a b", within=1)


@pytest.mark.parametrize(
    ("function", "task"),
    [("task_3", "task-3"), ("_hidden", "hidden"), ("Load", "Load"), ("a__b", "a--b")],
)
def test_task_name_of_function_has_hyphens(function: str, task: str) -> None:
    assert task_name_of(function) == task


def test_revision_comes_from_argument_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORDYNA_REVISION", raising=False)
    assert TaskServer("s").declaration.revision == 0
    monkeypatch.setenv("CORDYNA_REVISION", "12")
    assert TaskServer("s").declaration.revision == 12
    assert TaskServer("s", revision=3).declaration.revision == 3
    monkeypatch.setenv("CORDYNA_REVISION", "v12")
    with pytest.raises(UserError, match="CORDYNA_REVISION='v12' is not a whole number"):
        TaskServer("s")


@pytest.mark.parametrize("revision", [-1, 2**53, True, "5", 1.0])
def test_bad_revision_is_refused_at_once(revision: Any) -> None:
    with pytest.raises(UserError, match=f"revision {revision!r} is not a whole number from 0 to"):
        TaskServer("s", revision=revision)


def test_wrong_value_that_is_long_is_shown_cut() -> None:
    with pytest.raises(UserError) as refused:
        TaskServer("s").task(name="x", description="x" * 100_000)(lambda: None)
    assert len(str(refused.value)) < 500
    assert "xxx...: " in str(refused.value)


def test_wrong_owner_says_what_to_write() -> None:
    wrong: Any = 5
    with pytest.raises(UserError, match="next: give the name of a team"):
        TaskServer("s").task(name="x", owner=wrong)(lambda: None)
