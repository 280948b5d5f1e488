"""A cancelled run shows what failed in it before it was cancelled."""

import shlex

from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from cli.run_builders import RUN, a_run, a_task, at
from cordyna_cli.input.parse_command import parse_params
from cordyna_cli.render.run.outcome import outcome_lines
from cordyna_cli.render.run.why import why_lines, why_task_lines
from cordyna_cli.wording.next_steps import invoke_again
from cordyna_cli.wording.why import why_run, why_task
from cordyna_core.contract.views.runs import RunView

NOW = at(10)
CANCELLED = a_task("slow", "", "dispatched@0 started@1 error:cancelled@4")


def a_cancelled_run(*failed: str) -> RunView:
    tasks = [
        a_task(name, "", "dispatched@0 started@1 error:failed@2", owner="team-a") for name in failed
    ]
    target = a_task("all", " ".join([*failed, "slow"]), "error:cancelled@4")
    return a_run(*tasks, CANCELLED, target, state="error", cancelled=True)


def plain(lines: list[Text]) -> list[str]:
    return [line.plain for line in lines]


def test_outcome_of_cancelled_run_names_what_failed_before() -> None:
    assert plain(outcome_lines(a_cancelled_run("bad"), NOW, 100)) == [
        f"⊗ all was cancelled in 4.0 s  run {RUN}",
        "  bad on server-a: failed, ValueError: bad row 7  owner team-a",
        f"  next: dyna why {RUN} bad   why it failed",
        "        dyna do all",
    ]


def test_why_of_cancelled_run_gives_the_failure_and_do() -> None:
    view = a_cancelled_run("bad", "worse")

    lines = plain(why_lines(view, why_run(view, NOW)))

    assert (
        lines[0] == "⊗ all was cancelled; before that: bad on server-a is in state error (failed)."
    )
    assert "  worse failed too" in lines
    assert lines[-1] == "  next: dyna do all   (once it is fixed)"
    assert sum("dyna do" in line for line in lines) == 1


def test_why_of_cancelled_run_without_failures_is_short() -> None:
    view = a_cancelled_run()

    assert plain(why_lines(view, why_run(view, NOW))) == [
        "⊗ all was cancelled.",
        "  next: dyna do all",
    ]


def test_why_of_failed_task_of_cancelled_run_offers_no_retry() -> None:
    view = a_cancelled_run("bad")

    lines = plain(why_task_lines(view.tasks[0], why_task(view, view.tasks[0], NOW)))

    assert lines[-1] == "  once fixed: dyna do all"


def test_outcome_of_failed_then_cancelled_run_says_both() -> None:
    """The duration is that of the run, which had ended long before it was cancelled."""
    view = a_run(
        a_task("bad", "", "dispatched@0 started@1 error:failed@2"),
        a_task("all", "bad", state="error", reason="cancelled"),
        state="error",
        cancelled=True,
    )

    head = plain(outcome_lines(view, at(500), 100))[0]

    assert head == f"⊗ all was cancelled after it ended in error in 2.0 s  run {RUN}"


def test_next_invocation_keeps_the_params_of_the_run() -> None:
    params = {"seconds": 60, "day": "2026-11-28", "token": "env:TOKEN", "note": "it's 5", "n": "5"}
    view = a_cancelled_run().model_copy(update={"params": params})

    expected = (
        "dyna do all -p seconds=60 -p day=2026-11-28 -p token=env:TOKEN"
        " -p 'note=it'\"'\"'s 5' -p 'n=\"5\"'"
    )
    assert plain(outcome_lines(view, NOW, 60))[-1] == f"  next: {expected}"
    assert plain(why_lines(view, why_run(view, NOW)))[-1] == f"  next: {expected}"


_JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), _JSON_VALUES, max_size=4))
def test_next_invocation_reads_back_as_the_same_params(params: dict[str, object]) -> None:
    command = invoke_again(a_cancelled_run().model_copy(update={"params": params})).command

    options = shlex.split(command)[3:]

    assert command.isprintable()
    assert parse_params(options[1::2]) == params
