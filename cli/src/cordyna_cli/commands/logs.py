"""logs: what the tasks of a run printed."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Final

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.inspect import RunOrTask, Task, task_of
from cordyna_cli.engine import Engine
from cordyna_cli.input.run_selector import resolve_run_and_task
from cordyna_cli.output.json_output import array_json, object_json
from cordyna_cli.render.log_lines import SHARED_SIGN, LogLines
from cordyna_cli.usage_error import UsageError
from cordyna_core.contract.views.runs import LogLine

LINES_PER_BATCH: Final = 500

Filter = Callable[[LogLine], bool]


class Stream(StrEnum):
    """Where a line was written to."""

    stdout = "stdout"
    stderr = "stderr"
    log = "log"


def logs(
    ctx: typer.Context,
    run: RunOrTask = None,
    task: Task = None,
    *,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Also lines to come, until the run ends.")
    ] = False,
    last: Annotated[
        int | None, typer.Option("-n", "--last", min=0, help="Only the last lines so far.")
    ] = None,
    grep: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Only lines that match.")
    ] = None,
    stream: Annotated[
        list[Stream] | None, typer.Option(help="Only of this stream (again for more).")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array; with -f, an object a line.")
    ] = False,
) -> None:
    """What the tasks of a run printed and logged."""
    call = CommandContext(ctx)
    is_wanted = line_filter(grep, stream or ())
    with call.engine_without_declaring() as engine:
        run_id, name = resolve_run_and_task(engine, run, task)
        if name is not None:
            task_of(engine.run(run_id), name)
        batches = _batches(engine, run_id, name, follow=follow)
        matching = _matching(batches, is_wanted)
        wanted = matching if last is None else _last(matching, last)
        if json and not follow:
            call.out.print_json(array_json([line for batch in wanted for line in batch]))
        elif json:
            for batch in wanted:
                call.out.print_json(*map(object_json, batch))
        else:
            _print(call, wanted, name, run_id)


def line_filter(grep: str | None, streams: Sequence[Stream]) -> Filter:
    """Whether a line is wanted. Raises UsageError for an invalid pattern."""
    try:
        pattern = re.compile(grep or "")
    except re.error as invalid:
        raise UsageError(
            f"--grep {grep} is not a regular expression.",
            why=str(invalid),
            next="escape special characters with \\, for example --grep 'a\\.b'",
        ) from invalid
    # A line of a thread or process is of the stdout of one of its tasks.
    wanted = {str(stream) for stream in streams} | (
        {"shared"} if Stream.stdout in streams else set()
    )
    return lambda line: bool(
        (not wanted or line.stream in wanted) and (grep is None or pattern.search(line.text))
    )


def _batches(
    engine: Engine, run_id: str, task: str | None, *, follow: bool
) -> Iterator[Sequence[LogLine]]:
    if follow:
        yield from engine.follow_logs(run_id, task)
        return
    batch: list[LogLine] = []
    for line in engine.iter_logs(run_id, task):
        batch.append(line)
        if len(batch) == LINES_PER_BATCH:
            yield batch
            batch = []
    yield batch


def _matching(
    batches: Iterable[Sequence[LogLine]], is_wanted: Filter
) -> Iterator[Sequence[LogLine]]:
    """The lines that are wanted. Empty batches stay, and no other becomes empty."""
    for batch in batches:
        wanted = [line for line in batch if is_wanted(line)]
        if wanted or not batch:
            yield wanted


def _last(batches: Iterator[Sequence[LogLine]], last: int) -> Iterator[Sequence[LogLine]]:
    """Of the lines so far, which an empty batch ends, only the last ones."""
    so_far = deque[LogLine](maxlen=last)
    for batch in batches:
        if not batch:
            break
        so_far.extend(batch)
    yield list(so_far)
    yield from batches


def _print(
    call: CommandContext, batches: Iterable[Sequence[LogLine]], task: str | None, run_id: str
) -> None:
    table = LogLines()
    for batch in batches:
        call.out.print(table.render(batch))
    if table.has_shared:
        legend = "by a thread or process while several tasks ran: it may belong to any of them"
        call.err.note([f"{SHARED_SIGN} {legend}"])
    if not table.has_lines:
        subject = f"{task} printed nothing" if task else "nothing was printed"
        call.err.note([f"{subject} in run {run_id}"])
