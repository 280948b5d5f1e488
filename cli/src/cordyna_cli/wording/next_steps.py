"""Next steps: what a person can do next, as data, so that each face shows it in its own way.

Invariant: a step is a command of `dyna` that can be typed as it is.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, cast, get_args

from cordyna_cli.wording.format import param_argument
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.views.runs import RunView, TaskView

StepName = Literal["do", "watch", "show", "why", "logs", "retry", "servers"]

_TEMPLATE: Final = re.compile(
    r"dyna (?P<do>\w+)(?P<places>(?: \{\w+\})*)(?: +\((?P<purpose>.*)\))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """One step: the name of a command of `dyna`, and the run and the task that it is about.

    `purpose` says in a few words what it shows or does; it is empty where the command says it all.
    `params` are those of an invocation; a secret among them is a reference.
    """

    do: StepName
    run: str | None = None
    task: str | None = None
    purpose: str = ""
    params: JsonObject = field(default_factory=dict)

    @property
    def command(self) -> str:
        """As it is typed: `dyna logs RUN TASK`."""
        words = filter(None, ("dyna", self.do, self.run, self.task))
        return " ".join((*words, *self._param_options()))

    def _param_options(self) -> Iterator[str]:
        for name, value in self.params.items():
            yield f"-p {shlex.quote(param_argument(name, value))}"

    @property
    def command_and_purpose(self) -> str:
        """`dyna do TASK   (runs it anew)`."""
        return f"{self.command}   ({self.purpose})" if self.purpose else self.command

    def as_json(self) -> dict[str, str]:
        """Return `{"do": "logs", "run": ..., "task": ...}`, without what is empty."""
        fields = {"do": self.do, "run": self.run, "task": self.task, "purpose": self.purpose}
        return {name: value for name, value in fields.items() if value}


def invoke_again(view: RunView, purpose: str = "") -> NextStep:
    """Return the step that invokes the task of a run once more, with the same parameters."""
    return NextStep(do="do", task=view.task, purpose=purpose, params=view.params)


def next_step_of(template: str, view: RunView, task: TaskView, cause: TaskView | None) -> NextStep:
    """Return the step that a row of `reasons` names, for `task`.

    Watching the run where it needs a cause and no other task is one.

    Raises ValueError for a template that is not a command of `StepName` (a test takes every row).
    """
    parts = _TEMPLATE.fullmatch(template)
    if parts is None or parts["do"] not in get_args(StepName):
        raise ValueError(f"not a next step: {template!r}")
    names = {"{task}": task.task, "{target}": view.task, "{cause}": cause.task if cause else None}
    places = parts["places"].split()
    if "{cause}" in places and cause is None:
        return NextStep(do="watch", run=view.run_id)
    if parts["do"] == "do" and places == ["{target}"]:
        return invoke_again(view, parts["purpose"] or "")
    return NextStep(
        do=cast(StepName, parts["do"]),
        run=view.run_id if "{run}" in places else None,
        task=next((names[place] for place in places if place in names), None),
        purpose=parts["purpose"] or "",
    )
