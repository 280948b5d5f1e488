"""Limits: the size of outputs, also for servers that do not check it (docs/rules.md, limits)."""

from cordyna_core.contract.commands import RunTask
from world.scenarios import a_run


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
