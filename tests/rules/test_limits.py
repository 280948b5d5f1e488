"""Limits: the size of outputs, also for servers that do not check it (docs/rules.md, limits)."""

from dataclasses import replace

import pytest

from cerebro.adapters.codecs import encode_run, encode_task
from cerebro.core.messages import ROOT_CAUSES_MAX
from cerebro.core.model.task_run import TimelineEntry
from cerebro.core.run import timeline
from cerebro.core.run.retry_run import COMMANDS_PER_RUN_MAX
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.limits import (
    MAX_COMMAND_ID_CHARS,
    MAX_OUTPUT_BYTES,
    MAX_PARAMS_BYTES,
    MAX_REASON_CHARS,
    MAX_RETRIES,
    MAX_UPSTREAM_BYTES,
)
from cordyna_core.contract.state_updates import RunStateChanged
from world.scenarios import a_run, a_world

ITEM_BYTES_MAX = 400 * 1024
"""Of DynamoDB."""


def test_output_too_large_is_terminal_error() -> None:
    world = a_run("a  b<-a", declared={"a": {"retries": 3}}, a="started")
    world.report("a", "completed", output="x" * 20_000)
    assert world.state_of("a") == "error failed_terminal"
    assert world.state_of("b") == "pending blocked"
    error = world.task("a").error
    assert error is not None
    assert error.type == "OutputTooLarge"
    assert "return a reference" in error.message


def test_output_too_large_repeated_changes_nothing() -> None:
    world = a_run("a", a="started")
    update = world.report("a", "completed", output="x" * 20_000)
    fact = world.fact("a")
    world.handle(update)
    assert world.fact("a") == fact


def test_output_just_within_limit_is_handed_on() -> None:
    world = a_run("a  b<-a", a="started")
    world.report("a", "completed", output="x" * 16_000)
    assert world.fact("a").output is None
    command = world.published[-1]
    assert isinstance(command, RunTask)
    assert command.upstream == {"a": "x" * 16_000}


def test_outputs_beyond_128_kb_are_named_and_omitted() -> None:
    names = [f"u{n}" for n in range(10)]
    world = a_run("  ".join([*names, f"z<-{','.join(names)}"]))
    for name in names:
        world.report(name, "completed", output="x" * 16_000)
    command = world.published[-1]
    assert isinstance(command, RunTask)
    assert list(command.upstream) == names[:8]
    assert command.upstream_omitted == names[8:]


def test_outputs_of_exactly_128_kb_are_all_carried() -> None:
    names = [f"u{n}" for n in range(MAX_UPSTREAM_BYTES // MAX_OUTPUT_BYTES)]
    world = a_run("  ".join([*names, f"z<-{','.join(names)}"]))
    for name in names:
        world.report(name, "completed", output="x" * (MAX_OUTPUT_BYTES - 2))
    command = world.published[-1]
    assert isinstance(command, RunTask)
    assert (list(command.upstream), command.upstream_omitted) == (names, [])


@pytest.mark.parametrize(("surplus", "problems"), [(0, []), (1, ["params_too_large"])])
def test_params_are_limited_to_the_byte(surplus: int, problems: list[str]) -> None:
    schema = {"type": "object", "properties": {"p": {"type": "string"}}}
    world = a_world("a", a={"params_schema": schema})
    room = MAX_PARAMS_BYTES - len('[{"p":""},{}]')
    world.invoke("a", params={"p": "x" * (room + surplus)})
    assert world.problems == problems


def test_end_names_at_most_a_hundred_root_causes() -> None:
    names = [f"u{n}" for n in range(ROOT_CAUSES_MAX + 1)]
    world = a_run("  ".join([*names, f"z<-{','.join(names)}"]))
    for name in names:
        world.report(name, "error")
    world.after(5)
    end = [message for message in world.published if isinstance(message, RunStateChanged)][-1]
    assert (end.state, len(end.root_causes)) == ("error", ROOT_CAUSES_MAX)


def test_timeline_of_many_attempts_keeps_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "ENTRIES_KEPT", 20)
    monkeypatch.setattr(timeline, "ENTRIES_MAX", 40)
    world = a_run("a")
    for _ in range(30):
        world.reach("a", "error")
        world.retry()
    assert len(world.fact("a").timeline) == 21
    for attempt in range(1, 31):
        world.report("a", "completed", attempt=attempt)
    fact = world.fact("a")
    assert len(fact.timeline) == 40
    assert [fact.timeline[20].attempt, fact.timeline[21].reason] == [31, "late"]
    world.reach("a", "completed")
    assert world.run().state == "completed"


def test_fact_with_the_longest_timeline_fits_into_an_item() -> None:
    """Lines of the longest server name; a fourth of them with the longest reason."""
    fact = a_run("a").fact("a")
    by = server_source("s" * 128)
    reasons = ["🙂" * MAX_REASON_CHARS, None, None, None] * (timeline.ENTRIES_KEPT // 4)
    late = ["late"] * (timeline.ENTRIES_MAX - len(reasons))
    lines = [TimelineEntry("completed", text, 1e9 / 7, by, 10**6) for text in reasons + late]
    size = len(encode_task(replace(fact, timeline=tuple(lines))).encode())
    assert size < ITEM_BYTES_MAX - 16 * 1024


def test_all_lines_of_the_most_retries_are_kept() -> None:
    world = a_run("a", declared={"a": {"retries": MAX_RETRIES, "retry_delay_s": 1}})
    for _ in range(MAX_RETRIES):
        for state in ("queued", "started", "error"):
            world.report("a", state)
        world.after(3600)
    lines = world.fact("a").timeline
    attempts = [line.attempt for line in lines if line.reason == "dispatched"]
    assert attempts == list(range(1, MAX_RETRIES + 2))


def test_run_with_the_most_commands_fits_into_an_item() -> None:
    """An id of 128 emoji has 512 bytes, and the most params 128 KB."""
    schema = {"type": "object", "properties": {"p": {"type": "string"}}}
    world = a_world("a", a={"params_schema": schema})
    world.invoke("a", params={"p": "x" * (MAX_PARAMS_BYTES - 100)})
    world.report("a", "error")
    world.after(5).retry(command_id="🙂" * MAX_COMMAND_ID_CHARS)
    world.retry(command_id="r" * MAX_COMMAND_ID_CHARS)
    world.cancel(command_id="🙃" * MAX_COMMAND_ID_CHARS)
    run = world.stored_run()
    longest = max(run.commands, key=lambda command_id: len(command_id.encode()))
    most = replace(run, commands=(longest,) * (COMMANDS_PER_RUN_MAX + 1))
    assert len(encode_run(most).encode()) < ITEM_BYTES_MAX


def test_command_with_a_long_id_acts_once() -> None:
    world = a_run("a", a="error").after(5)
    for _ in range(2):
        world.retry(command_id="🙂" * MAX_COMMAND_ID_CHARS)
        world.report("a", "error", attempt=2)
    assert world.after(5).sent == [("a", 1), ("a", 2)]
