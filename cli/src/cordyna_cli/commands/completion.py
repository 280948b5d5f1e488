"""completion: completes commands, options, tasks, runs and servers in a shell.

Invariant: completing prints candidates or nothing, never an error into the line that is being
typed.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Final

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.engine import Engine
from cordyna_cli.input.completion import SCRIPTS, Candidate, Names, Shell, candidates
from cordyna_cli.operations import operations_of
from cordyna_cli.usage_error import UsageError
from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import plural
from cordyna_cli.wording.status_marks import run_mark
from cordyna_core.errors import UserError

RUNS_OFFERED: Final = 100


def completion(
    ctx: typer.Context,
    shell_or_words: Annotated[
        list[str] | None, typer.Argument(metavar="bash|zsh|fish", help="The shell.")
    ] = None,
    *,
    at: Annotated[int | None, typer.Option("--at", min=1, hidden=True)] = None,
) -> None:
    """Print the completion script of a shell.

    bash: `source <(dyna completion bash)` in ~/.bashrc. zsh: write it as `_dyna` into a folder of
    $fpath. fish: write it to ~/.config/fish/completions/dyna.fish.
    """
    call = CommandContext(ctx)
    words = shell_or_words or []
    if at is not None:
        offered = candidates(ctx.find_root().command, words, at, _names(call))
        call.out.print(f"{candidate.word}\t{one_line(candidate.help)}" for candidate in offered)
        return
    if len(words) != 1 or words[0] not in set(Shell):
        shells = ", ".join(Shell)
        raise UsageError(f"completion takes one shell: {shells}.", next="dyna completion bash")
    call.out.print(SCRIPTS[Shell(words[0])].splitlines())


def _names(call: CommandContext) -> dict[str, Names]:
    """What an argument or an option of that name may be."""
    reader = {
        "task": _tasks,
        "run": _runs,
        "name": _servers,
        "from_": _tasks,
        "queue": _queues,
    }
    return {
        **{name: _reading(call, read) for name, read in reader.items()},
        "shell_or_words": lambda: [Candidate(str(shell)) for shell in Shell],
    }


def _reading(
    call: CommandContext, read: Callable[[Engine], Sequence[Candidate]]
) -> Callable[[], Sequence[Candidate]]:
    def names() -> Sequence[Candidate]:
        try:
            with call.engine_without_declaring() as engine:
                return read(engine)
        except UserError:
            # Completing must not print an error into the line that is being typed.
            return ()

    return names


def _tasks(engine: Engine) -> Sequence[Candidate]:
    return [Candidate(info.task, f"on {info.server}") for info in engine.tasks()]


def _servers(engine: Engine) -> Sequence[Candidate]:
    return [Candidate(info.server, info.state) for info in engine.servers()]


def _queues(engine: Engine) -> Sequence[Candidate]:
    return [
        Candidate(queue.name, plural(queue.messages, "message"))
        for queue in operations_of(engine, "dlq").dead_letters()
    ]


def _runs(engine: Engine) -> Sequence[Candidate]:
    return [
        Candidate(run.run_id, f"{run.task}, {run_mark(run).word}")
        for run in engine.runs(RUNS_OFFERED)
    ]
