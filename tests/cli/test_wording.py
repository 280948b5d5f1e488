"""Wording: what every face says of a run, as data and plain text."""

import pytest

from cli.run_builders import RUN, a_run, a_task, at, completed_run, failed_run
from cordyna_cli.wording.format import join_names
from cordyna_cli.wording.next_steps import NextStep, next_step_of
from cordyna_cli.wording.outcome import run_outcome
from cordyna_cli.wording.progress import run_progress
from cordyna_core.contract.reasons import REASONS, Reason

NOW = at(10)


@pytest.mark.parametrize("row", REASONS, ids=lambda row: f"{row.state}-{row.reason}")
def test_next_step_of_every_reason_prints_its_command(row: Reason) -> None:
    task, cause = a_task("t", "up"), a_task("up")
    view = a_run(cause, task, a_task("end", "t"))

    step = next_step_of(row.next_command, view, task, cause)

    assert step.command_and_purpose == row.next_command.format(
        run=RUN, task="t", target="end", cause="up"
    )


@pytest.mark.parametrize("template", ["dyna fly {run}", "rm -rf", "dyna why {run} {cause"])
def test_next_step_of_unknown_template_is_an_error(template: str) -> None:
    task = a_task("t")

    with pytest.raises(ValueError, match="not a next step"):
        next_step_of(template, a_run(task), task, None)


def test_next_step_as_json_leaves_out_what_is_empty() -> None:
    assert NextStep(do="servers").as_json() == {"do": "servers"}
    assert NextStep(do="logs", run="R", task="t", purpose="p").as_json() == {
        "do": "logs",
        "run": "R",
        "task": "t",
        "purpose": "p",
    }


def test_outcome_of_failed_run_has_causes_and_steps() -> None:
    outcome = run_outcome(failed_run(), NOW)

    assert (outcome.verb, outcome.duration_s, outcome.blocked) == (
        "ended in error",
        5.0,
        ("load", "report"),
    )
    assert [(cause.task, cause.owner, cause.note) for cause in outcome.causes] == [
        ("clean", "team-a", "attempt 2; ValueError: bad row 7")
    ]
    assert [step.command for step in outcome.next_steps] == [
        f"dyna logs {RUN} clean",
        f"dyna retry {RUN}",
    ]


def test_progress_counts_every_mark_most_urgent_first() -> None:
    progress = run_progress(failed_run(), NOW)

    assert (progress.done, progress.total, progress.elapsed_s) == (1, 4, 5.0)
    assert [(mark.word, count) for mark, count in progress.counts] == [
        ("error", 1),
        ("blocked", 2),
        ("completed", 1),
    ]
    assert [mark.word for mark, _ in progress.unfinished] == ["error", "blocked"]
    assert run_progress(completed_run(), NOW).unfinished == ()


@pytest.mark.parametrize(
    ("count", "joined"),
    [
        (0, ""),
        (1, "a"),
        (2, "a and b"),
        (4, "a, b, c and d"),
        (5, "a, b, c, d and e"),
        (6, "a, b, c, d and 2 more"),
    ],
)
def test_names_are_joined_unless_they_are_many(count: int, joined: str) -> None:
    """One name takes no more room than "1 more"."""
    assert join_names("abcdefg"[:count]) == joined
