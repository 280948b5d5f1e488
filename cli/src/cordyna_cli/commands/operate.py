"""doctor, dlq: look after a cerebro on AWS."""

from typing import Annotated, Final

import typer
from rich.text import Text

from cordyna_cli.commands.lists import AsJson
from cordyna_cli.input.command_context import CommandContext
from cordyna_cli.operations import operations_of
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import array_json
from cordyna_cli.render.layout.table import Column, aligned, cut
from cordyna_cli.wording.format import one_line, plural

_SIGN: Final = {
    "well": Text("✓", "green"),
    "worth a look": Text("!", "yellow"),
    "broken": Text("✗", "bold red"),
}
_FINDINGS: Final = (Column(), Column(), Column(yields=1))
_QUEUES: Final = (
    Column("queue"),
    Column("messages", align="right"),
    Column("can be put back into"),
)

dlq = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    help="What could not be handled, and putting it back.",
)


def doctor(ctx: typer.Context, *, json: AsJson = False) -> ExitStatus:
    """Look at credentials, bus, query function, versions, clocks, servers, logs and dead letters, in that order."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        findings = operations_of(engine, "doctor").examine()
    if json:
        call.out.print_json(array_json(findings))
    else:
        call.out.print(
            aligned(
                _FINDINGS,
                [(_SIGN[each.state], each.what, one_line(each.told)) for each in findings],
                call.out.width,
            )
        )
    call.err.print(
        [f"  next: {each.next}" for each in findings if each.state != "well" and each.next]
    )
    return (
        ExitStatus.SERVICE
        if any(each.state == "broken" for each in findings)
        else ExitStatus.COMPLETED
    )


@dlq.command("ls")
def ls(ctx: typer.Context, *, json: AsJson = False) -> None:
    """The dead-letter queues that are not empty, with some of what is in them."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        queues = operations_of(engine, "dlq ls").dead_letters()
    if json:
        call.out.print_json(array_json(queues))
        return
    if not queues:
        call.err.print(["no dead letters"])
        return
    call.out.print(
        aligned(
            _QUEUES,
            [(each.name, str(each.messages), each.back_to or "-") for each in queues],
            call.out.width,
        )
    )
    for each in queues:
        # A message may have a megabyte: a terminal shows its beginning, a pipe the whole.
        samples = [Text(f"  {one_line(sample)}") for sample in each.samples]
        call.out.print(
            [
                Text(),
                Text(each.name, "bold"),
                *(cut(line, call.out.width) if call.out.width else line for line in samples),
            ]
        )
    redrivable = [each for each in queues if each.back_to]
    if redrivable:
        call.err.print([f"  next: mend the reason, then dyna dlq redrive {redrivable[0].name}"])


@dlq.command("redrive")
def redrive(
    ctx: typer.Context,
    queue: Annotated[str, typer.Argument(metavar="QUEUE", help="Its name, as `dlq ls` shows it.")],
) -> None:
    """Put what is in QUEUE back into the queue that it came from, to be handled again."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        moved = operations_of(engine, f"dlq redrive {queue}").redrive(queue)
    call.out.print([f"{plural(moved, 'message')} put back"])
