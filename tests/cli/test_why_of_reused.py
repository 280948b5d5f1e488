"""Why: a reused result says what it was made from (docs/rules.md, rule 14)."""

from typing import Any

from cli.run_builders import RUN, a_run, a_task, at
from cordyna_cli.wording.why import why_task
from cordyna_core.contract.views.runs import MadeFrom

NOW = at(7200)


def details_of(**made_from: Any) -> tuple[str, ...]:
    origin = MadeFrom(run_id=RUN, at=at(0), **made_from)
    task = a_task("report", "", "completed:reused@7000", made_from=origin)
    return why_task(a_run(task, state="completed"), task, NOW).details


def test_why_of_reused_result_names_run_params_and_versions() -> None:
    details = details_of(params={"day": "27"}, versions={"report": "A" * 26, "orders": "B" * 26})
    assert details[0].startswith(f"made by run {RUN}, begun ")
    assert details[0].endswith("(2 h 00 m ago)")
    assert details[1:] == (
        'made with {"day": "27"}',
        "declared as report AAAAAAAA and orders BBBBBBBB",
    )


def test_why_of_reused_result_without_params_says_so() -> None:
    assert details_of(params={}, versions={"a": "C" * 26})[1] == "made with no parameters"


def test_why_of_reused_result_cuts_long_params() -> None:
    line = details_of(params={"text": "x" * 500}, versions={"a": "C" * 26})[1]
    assert len(line) < 220
    assert line.endswith(" ...")


def test_why_of_reused_result_shows_no_control_characters() -> None:
    line = details_of(params={"text": "a\x1b[31m\nb"}, versions={"a": "C" * 26})[1]
    assert "\x1b" not in line
    assert "\n" not in line


def test_why_of_reused_result_of_deleted_run_says_so() -> None:
    assert details_of()[1:] == ("what it was made from is not stored any more",)
