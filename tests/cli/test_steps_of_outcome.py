"""What the outcome of a failed run offers next fits what is known of its error."""

import pytest

from cli.run_builders import RUN, a_run, a_task, at
from cordyna_cli.render.run.outcome import outcome_lines
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.views.runs import RunView

NOW = at(10)


def last_lines(view: RunView, count: int) -> list[str]:
    return [line.plain for line in outcome_lines(view, NOW, 100)][-count:]


def test_outcome_of_traceback_names_why() -> None:
    raised = ErrorDescription(type="KeyError", message="'rows'", traceback="Traceback ...")
    view = a_run(a_task("clean", "", "started@0 error:failed@1", error=raised), state="error")

    assert last_lines(view, 3) == [
        f"  next: dyna why {RUN} clean    where it failed",
        f"        dyna logs {RUN} clean   what it printed",
        f"        dyna retry {RUN}        once it is fixed; what completed is kept",
    ]


@pytest.mark.parametrize(
    ("states", "steps"),
    [
        ("dispatched@0 error:ack_timeout@9", ["why", "retry"]),
        ("dispatched@0 queued@1 error:start_timeout@9", ["why", "retry"]),
        ("started@0 error:failed@1 dispatched@2 error:ack_timeout@9", ["why", "logs", "retry"]),
        ("started@0 error:worker_died@1", ["why", "logs", "retry"]),
        ("dispatched@0 error:worker_died@1", ["why", "logs", "retry"]),
        ("started@0 error:failed_terminal@1", ["why", "logs", "retry"]),
        ("started@0 error:failed@1", ["logs", "retry"]),
    ],
)
def test_next_steps_fit_what_is_known_of_the_error(states: str, steps: list[str]) -> None:
    view = a_run(a_task("clean", "", states), state="error")

    lines = last_lines(view, len(steps))

    assert [line.removeprefix("  next:").split()[1] for line in lines] == steps
