"""Errors: an error as text for a terminal, as JSON for a program, and as an exit status.

Invariant: an error says what happened, why, and what to type next. A traceback is shown only with
--debug.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.sentences import wrap_sentence
from cordyna_cli.usage_error import UsageError
from cordyna_cli.wording.foreign_text import NEXT_LINE, printable
from cordyna_cli.wording.near_names import near_names_of
from cordyna_core.errors import AccessError, NotFound, Refusal, ServiceError, UserError

if TYPE_CHECKING:  # an error is shown without the contract
    from cordyna_cli.engine import Engine
    from cordyna_core.contract.base import Problem
    from cordyna_core.contract.views.graph import TaskInfo

UNKNOWN_TASK: Final = "unknown_task"
UNRESOLVED: Final = "unresolved_upstream"
_NOT_FOUND_CODES: Final = (UNKNOWN_TASK, "unknown_run")
NOT_LOADED: Final = "not_loaded"
_CONTEXT_CODES: Final = ("driven_by_another",)
"""Codes that add context to a refusal but do not cause it."""

_PARAM_CODES: Final = ("missing_param", "bad_param", "plain_secret")
_NEXT: Final = {
    NOT_LOADED: "correct what is shown above, then run the same command again",
    "unknown_param": "`dyna tasks --json` shows what each task takes (params_schema)",
    UNRESOLVED: "declare it on a server, then run the same command again",
    "key_reused": "use another --key, or leave it out",
}
"""What to do about a refused invocation, by the code of its first problem; else: see its plan."""

_EXIT_STATUS: Final[tuple[tuple[type[UserError], ExitStatus], ...]] = (
    (UsageError, ExitStatus.USAGE),
    (NotFound, ExitStatus.NOT_FOUND),
    (AccessError, ExitStatus.ACCESS),
    (ServiceError, ExitStatus.SERVICE),
    (UserError, ExitStatus.ENDED_IN_ERROR),
)


def exit_status_of(error: UserError) -> ExitStatus:
    """Return the exit status of a command that ended with `error`."""
    codes = {problem.code for problem in error.problems} if isinstance(error, Refusal) else set()
    # Where a server did not load, what it would declare is not known to be missing.
    if codes.intersection(_NOT_FOUND_CODES) and NOT_LOADED not in codes:
        return ExitStatus.NOT_FOUND
    return next(status for kind, status in _EXIT_STATUS if isinstance(error, kind))


def error_text(error: UserError, *, colour: bool = False, width: int | None = None) -> str:
    """For a terminal: `error: what`, why, next. With `width`, sentences are broken between words.

    A command is never broken, so that it can be copied.
    """
    lines = [part for line in _lines(error) for part in wrap_sentence(line, width)]
    text = "\n".join(lines) + "\n"
    return text.replace("error:", "\x1b[1;31merror:\x1b[0m", 1) if colour else text


def _lines(error: UserError) -> list[str]:
    return f"error: {printable(str(error))}".splitlines()


def error_json(error: UserError) -> str:
    """For a program: the published format of an error."""
    problems = error.problems if isinstance(error, Refusal) else ()
    return json.dumps(
        {
            "error": {"what": error.what, "why": error.why, "next": error.next},
            "problems": [problem.model_dump(mode="json") for problem in problems],
        },
        ensure_ascii=False,
    )


def invocation_refused(
    task: str, problems: "Sequence[Problem]", engine: "Engine", hints: Sequence[str] = ()
) -> Refusal:
    """Return a refused invocation or plan of `task`, with near names where the task is unknown.

    `hints` are added to why.
    """
    what = f'task "{task}" cannot be invoked'
    codes = {problem.code for problem in problems}
    if NOT_LOADED in codes:
        # What a server that did not load declares is not known: that is no reason of its own.
        problems = [problem for problem in problems if problem.code != UNKNOWN_TASK]
    elif UNKNOWN_TASK in codes:
        return Refusal(
            f"{what}: no server declares it.",
            problems,
            why="\n".join(_messages(problems, context=True)),
            next=near_names(task, [info.task for info in engine.tasks()]),
        )
    if any(problem.code == UNRESOLVED for problem in problems):
        names = [info.task for info in engine.tasks()]
        hints = [*hints, *filter(None, (_near_upstream(problem, names) for problem in problems))]
    return command_refused(what, problems, hints, next=_next_step(task, problems))


def _next_step(task: str, problems: "Sequence[Problem]") -> str:
    problem = problems[0]
    step = problem.message.partition(NEXT_LINE)[2] if len(problems) == 1 else ""
    if step:
        return f"{step}; then run the same command again"
    if problem.code in _PARAM_CODES:
        return f"dyna describe {problem.path[0] if problem.path else task}"
    return _NEXT.get(problem.code, f"dyna plan {task}")


def command_refused(
    what: str,
    problems: "Sequence[Problem]",
    hints: Sequence[str] = (),
    *,
    next: str,  # noqa: A002  as in UserError
) -> Refusal:
    """Return a refused command, with every reason. `hints` are added to why."""
    # A problem alone must say what is refused; here the first line says it already.
    reasons = [message.removeprefix(f"{what}: ") for message in _messages(problems, context=False)]
    causes = [problem for problem in problems if problem.code not in _CONTEXT_CODES]
    paths = [
        _path(problem.path or (), reason) for problem, reason in zip(causes, reasons, strict=True)
    ]
    context = [*_messages(problems, context=True), *hints]
    if len(reasons) == 1:
        why = [*filter(None, paths), *context]
        reason = reasons[0].partition(NEXT_LINE)[0]
        return Refusal(f"{what}: {reason}", problems, why="\n".join(why), next=next)
    why = [
        f"{reason} ({path})" if path else reason
        for reason, path in zip(reasons, paths, strict=True)
    ]
    return Refusal(
        f"{what}, for {len(reasons)} reasons.", problems, why="\n".join([*why, *context]), next=next
    )


def task_info_of(tasks: Sequence["TaskInfo"], task: str) -> "TaskInfo":
    """Return the declared task of that name. Raises NotFound."""
    info = next((info for info in tasks if info.task == task), None)
    if info is None:
        names = [info.task for info in tasks]
        raise NotFound(f'no server declares a task "{task}".', next=near_names(task, names))
    return info


def near_names(name: str, known: Sequence[str]) -> str:
    """Return what to do next about an unknown task."""
    near = near_names_of(name, known)
    if near:
        return f"did you mean {' or '.join(near)}? `dyna tasks` lists all"
    return (
        "`dyna tasks` lists all"
        if known
        else "nothing is declared: name a server, for example `dyna --server my.py tasks`;"
        " `dyna servers` shows those that failed to load"
    )


def _near_upstream(problem: "Problem", names: Sequence[str]) -> str | None:
    """Return the declared task that was probably meant by the last name of the path."""
    if problem.code != UNRESOLVED or not problem.path:
        return None
    near = near_names_of(problem.path[-1], names, 1)
    return f"did you mean {near[0]} instead of {problem.path[-1]}?" if near else None


def _messages(problems: "Sequence[Problem]", *, context: bool) -> list[str]:
    return [problem.message for problem in problems if (problem.code in _CONTEXT_CODES) == context]


def _path(names: Sequence[str], reason: str) -> str:
    """The tasks involved, where there are several and the reason does not name all in this order.

    A single one is named in the reason.
    """
    at = 0
    for name in names if len(names) > 1 else ():
        at = reason.find(name, at) + len(name)
        if at < len(name):
            return " -> ".join(names)
    return ""
