"""Complaints: what a person, or a program that asked for JSON, is told when something does not work.

Law: an error says what happened, why, and what to type next. A traceback is shown only to those who asked for it.
"""

import json
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from cordyna_cli.output.exit_status import ExitStatus
from cordyna_core.errors import AccessError, NotFound, Refusal, ServiceError, UserError

if TYPE_CHECKING:  # the contract is not needed to complain
    from cordyna_cli.engine import Engine
    from cordyna_core.contract.base import Problem

UNKNOWN_TASK: Final = "unknown_task"
_NOT_FOUND: Final = (UNKNOWN_TASK, "unknown_run")
_CONTEXT_CODES: Final = ("driven_by_another",)
"""What is no reason, but explains the reasons."""

_PARAMETERS: Final = "`dyna tasks --json` shows what each task takes (params_schema)"
_NEXT: Final = {
    "unknown_param": _PARAMETERS,
    "missing_param": _PARAMETERS,
    "bad_param": _PARAMETERS,
    "unresolved_upstream": "declare it on a server, then the same again",
    "key_reused": "use another --key, or leave it out",
}
"""What to do about an invocation that was refused, by the code of its first problem; else: look at its plan."""


class Misuse(UserError):
    """The command line cannot be read."""


_STATUS: Final[tuple[tuple[type[UserError], ExitStatus], ...]] = (
    (Misuse, ExitStatus.USAGE),
    (NotFound, ExitStatus.NOT_FOUND),
    (AccessError, ExitStatus.ACCESS),
    (ServiceError, ExitStatus.SERVICE),
    (UserError, ExitStatus.ENDED_IN_ERROR),
)


def status_of(error: UserError) -> ExitStatus:
    """What the exit status says about it."""
    if isinstance(error, Refusal) and any(problem.code in _NOT_FOUND for problem in error.problems):
        return ExitStatus.NOT_FOUND
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def error_text(error: UserError, *, colour: bool = False) -> str:
    """For a person: `error: what`, why, next."""
    head = "\x1b[1;31merror:\x1b[0m" if colour else "error:"
    return f"{head} {error}\n"


def error_json(error: UserError) -> str:
    """For a program: the published format of everything that is no run."""
    problems = error.problems if isinstance(error, Refusal) else ()
    return json.dumps(
        {
            "error": {"what": error.what, "why": error.why, "next": error.next},
            "problems": [problem.model_dump(mode="json") for problem in problems],
        },
        ensure_ascii=False,
    )


def refusal(
    task: str, problems: "Sequence[Problem]", engine: "Engine", hints: Sequence[str] = ()
) -> Refusal:
    """A refused invocation or plan of `task`, with near names where the task is unknown. `hints`: more of why."""
    what = f'task "{task}" cannot be invoked'
    if any(problem.code == UNKNOWN_TASK for problem in problems):
        beside = "\n".join(
            problem.message for problem in problems if problem.code in _CONTEXT_CODES
        )
        return Refusal(
            f"{what}: no server declares it.",
            problems,
            why=beside,
            next=near_names(task, [info.task for info in engine.tasks()]),
        )
    return refused(what, problems, hints, next=_NEXT.get(problems[0].code, f"dyna plan {task}"))


def refused(
    what: str, problems: "Sequence[Problem]", hints: Sequence[str] = (), *, next: str
) -> Refusal:
    """A refused command, with every reason."""
    # A problem is read by itself elsewhere, so it may begin by saying what is refused; here that is said already.
    told = [problem for problem in problems if problem.code not in _CONTEXT_CODES]
    beside = [*(problem.message for problem in problems if problem.code in _CONTEXT_CODES), *hints]
    reasons = [problem.message.removeprefix(f"{what}: ") for problem in told]
    paths = [_path(problem) for problem in told]
    if len(told) == 1:
        return Refusal(
            f"{what}: {reasons[0]}",
            problems,
            why="\n".join([*filter(None, paths), *beside]),
            next=next,
        )
    why = [
        reason + (f" ({path})" if path else "") for reason, path in zip(reasons, paths, strict=True)
    ]
    return Refusal(
        f"{what}, for {len(told)} reasons.", problems, why="\n".join([*why, *beside]), next=next
    )


def near_names(name: str, known: Sequence[str]) -> str:
    """What to do about a name that nobody knows."""
    folded = {candidate.casefold(): candidate for candidate in known}
    near = [folded[match] for match in get_close_matches(name.casefold(), folded, n=3)]
    if near:
        return f"did you mean {' or '.join(near)}? `dyna tasks` lists all"
    return (
        "`dyna tasks` lists all"
        if known
        else "no server is known: name one, for example `dyna --server my.py tasks`"
    )


def _path(problem: "Problem") -> str:
    """The tasks involved, where there are several; a single one is named in the message."""
    return " -> ".join(problem.path) if problem.path and len(problem.path) > 1 else ""
