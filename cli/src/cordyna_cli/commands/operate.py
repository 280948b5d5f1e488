"""doctor, dlq: operate a cerebro."""

from typing import Annotated

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.lists import AsJson
from cordyna_cli.operations import operations_of
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import array_json, findings_json
from cordyna_cli.render.operations import dead_letter_lines, findings_table
from cordyna_cli.wording.format import plural

dlq = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    help="Dead letters: what could not be handled, and redrive.",
)


def doctor(ctx: typer.Context, *, json: AsJson = False) -> ExitStatus:
    """Check everything that has to work before a task can run, in the order it is needed.

    Credentials, bus, query function, versions, clocks, servers, logs and dead letters.
    """
    call = CommandContext(ctx)
    with call.engine() as engine:
        findings = operations_of(engine, "doctor").examine()
    if json:
        call.out.print_json(findings_json(findings))
    else:
        call.out.print(findings_table(findings, call.out.width))
    call.err.print(
        f"  next: {finding.next}"
        for finding in findings
        if finding.state != "well" and finding.next
    )
    is_broken = any(finding.state == "broken" for finding in findings)
    return ExitStatus.SERVICE if is_broken else ExitStatus.COMPLETED


@dlq.command("ls")
def ls(ctx: typer.Context, *, json: AsJson = False) -> None:
    """The dead-letter queues that are not empty, with samples of their messages."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        queues = operations_of(engine, "dlq ls").dead_letters()
    if json:
        call.out.print_json(array_json(queues))
        return
    if not queues:
        call.err.print(["no dead letters"])
        return
    call.out.print(dead_letter_lines(queues, call.out.width))
    redrivable = next((queue.name for queue in queues if queue.back_to), None)
    if redrivable is not None:
        call.err.print([f"  next: fix the reason, then dyna dlq redrive {redrivable}"])


@dlq.command("redrive")
def redrive(
    ctx: typer.Context,
    queue: Annotated[str, typer.Argument(metavar="QUEUE", help="Its name, as `dlq ls` shows it.")],
) -> None:
    """Put the messages of QUEUE back into the queue they came from, to be handled again."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        moved = operations_of(engine, f"dlq redrive {queue}").redrive(queue)
    call.out.print([f"{plural(moved, 'message')} put back"])
