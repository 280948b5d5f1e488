"""doctor, dlq: operate a cerebro."""

from typing import Annotated

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.lists import AsJson
from cordyna_cli.graph_checks import graph_findings
from cordyna_cli.operations import operations_of
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import array_json, findings_json
from cordyna_cli.render.operations import dead_letter_lines, findings_table
from cordyna_cli.usage_error import UsageError
from cordyna_cli.wording.format import plural

dlq = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    help="Dead letters: what could not be handled, and redrive.",
)


def doctor(ctx: typer.Context, *, json: AsJson = False) -> ExitStatus:
    """Check everything that has to work before a task can run; exit with 1 on every problem.

    On AWS: credentials, bus, query function, versions, clocks, servers, logs. On a laptop: driver,
    servers, database. Everywhere: dead letters, upstreams that are not declared, crons that would
    be refused. A deprecated upstream is a notice, and no problem.
    """
    call = CommandContext(ctx)
    with call.engine() as engine:
        findings = [*operations_of(engine, "doctor").examine()]
        if not any(finding.state == "broken" for finding in findings):
            findings += graph_findings(engine)
    if json:
        call.out.print_json(findings_json(findings))
    else:
        call.out.print(findings_table(findings, call.out.width))
    steps = (finding.next for finding in findings if finding.state != "well" and finding.next)
    call.err.note(f"  next: {step}" for step in dict.fromkeys(steps))
    has_problem = any(finding.is_problem for finding in findings)
    return ExitStatus.ENDED_IN_ERROR if has_problem else ExitStatus.COMPLETED


@dlq.command("ls")
def ls(ctx: typer.Context, *, json: AsJson = False) -> None:
    """The dead-letter queues that are not empty, with samples."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        queues = operations_of(engine, "dlq ls").dead_letters()
    if json:
        call.out.print_json(array_json(queues))
        return
    if not queues:
        call.err.note(["no dead letters"])
        return
    call.out.print(dead_letter_lines(queues, call.out.width))
    redrivable = next((queue.name for queue in queues if queue.back_to), None)
    if redrivable is not None:
        call.err.note([f"  next: fix the reason, then dyna dlq redrive {redrivable}"])
    else:
        call.err.note([f"  next: fix the reason, then dyna dlq purge {queues[0].name}"])


@dlq.command("redrive")
def redrive(
    ctx: typer.Context,
    queue: Annotated[str, typer.Argument(metavar="QUEUE", help="Its name, as `dlq ls` shows it.")],
) -> None:
    """Put the messages of QUEUE back to be handled again.

    They return to the queue that they came from.
    """
    call = CommandContext(ctx)
    with call.engine() as engine:
        moved = operations_of(engine, f"dlq redrive {queue}").redrive(queue)
    call.out.print([f"{plural(moved, 'message')} put back"])


@dlq.command("purge")
def purge(
    ctx: typer.Context,
    queue: Annotated[str, typer.Argument(metavar="QUEUE", help="Its name, as `dlq ls` shows it.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Delete them without asking.")] = False,
) -> None:
    """Delete the messages of QUEUE for good. It asks before, and without a terminal needs --yes."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        operations = operations_of(engine, f"dlq purge {queue}")
        operations.require_queue(queue)
        if not yes and not _confirms(call, queue):
            raise UsageError(
                f"the messages of {queue} are not deleted.",
                why="deleting them cannot be undone, and was not confirmed",
                next=f"dyna dlq purge {queue} --yes",
            )
        deleted = operations.purge(queue)
    call.out.print([f"{plural(deleted, 'message')} deleted"])


def _confirms(call: CommandContext, queue: str) -> bool:
    """Whether the person at the terminal types the name of the queue."""
    environment = call.environment
    if not environment.stdin.isatty():
        return False
    environment.stderr.write(f"type {queue} to delete its messages for good: ")
    environment.stderr.flush()
    return environment.stdin.readline().strip() == queue
