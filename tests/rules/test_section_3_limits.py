"""Section 3: an output is at most 16 KB of JSON; a larger one is an error that says so, whatever the server is written in."""

from cordyna_core.contract.commands import RunTask
from rules.scene import a_run


def test_an_output_that_is_too_large_is_an_error_that_says_so() -> None:
    scene = a_run("a  b<-a", declared={"a": {"retries": 3}}, a="started")
    scene.says("a", "completed", output="x" * 20_000)
    assert scene.is_at("a") == "error failed_terminal"
    assert scene.is_at("b") == "pending blocked"
    error = scene.task("a").error
    assert error is not None
    assert error.type == "OutputTooLarge"
    assert "return a reference" in error.message


def test_a_duplicate_of_it_changes_nothing() -> None:
    scene = a_run("a", a="started")
    word = scene.says("a", "completed", output="x" * 20_000)
    fact = scene.fact("a")
    scene.hears(word)
    assert scene.fact("a") == fact


def test_an_output_just_within_is_kept_apart_and_handed_on() -> None:
    scene = a_run("a  b<-a", a="started")
    scene.says("a", "completed", output="x" * 16_000)
    assert scene.fact("a").output is None
    command = scene.told[-1]
    assert isinstance(command, RunTask)
    assert command.upstream == {"a": "x" * 16_000}


def test_outputs_beyond_128_kb_together_are_named_and_left_out() -> None:
    names = [f"u{n}" for n in range(10)]
    scene = a_run("  ".join([*names, f"z<-{','.join(names)}"]))
    for name in names:
        scene.says(name, "completed", output="x" * 16_000)
    command = scene.told[-1]
    assert isinstance(command, RunTask)
    assert list(command.upstream) == names[:8]
    assert command.upstream_omitted == names[8:]
