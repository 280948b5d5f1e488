"""A cancelled run shows what failed in it before it was cancelled."""

from rich.text import Text

from cli.run_builders import RUN, a_run, a_task, at
from cordyna_cli.render.run.outcome import outcome_lines
from cordyna_cli.render.run.why import why_lines, why_task_lines
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
    assert lines[-2:] == ["  next: dyna do all", "  once fixed: dyna do all"]


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
