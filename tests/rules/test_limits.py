"""Limits: the size of outputs, also for servers that do not check it (docs/rules.md, limits)."""

import pytest

from cerebro.core.messages import ROOT_CAUSES_MAX
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.limits import MAX_OUTPUT_BYTES, MAX_PARAMS_BYTES, MAX_UPSTREAM_BYTES
from cordyna_core.contract.state_updates import RunStateChanged
from world.scenarios import a_run, a_world


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
