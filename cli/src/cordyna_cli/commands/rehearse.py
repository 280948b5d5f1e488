"""Rehearse: what declaring servers would change. It is `dyna plan --declare`."""

from collections.abc import Sequence

from cordyna_cli.command_context import CommandContext
from cordyna_cli.input.load_declaration import load_declaration
from cordyna_cli.output.errors import command_refused, error_text
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import rehearsal_json
from cordyna_cli.render.rehearsal import rehearsal_lines


def rehearse(call: CommandContext, targets: Sequence[str], *, as_json: bool) -> ExitStatus:
    """Show what would change; exit as declaring would end."""
    declared = [load_declaration(target, call.environment.cwd) for target in targets]
    with call.engine_without_declaring() as engine:
        view = engine.rehearse(declared)
    if as_json:
        call.out.print_json(rehearsal_json(view))
    else:
        call.out.print(rehearsal_lines(view, call.out.width))
    if not view.problems:
        return ExitStatus.COMPLETED
    if not as_json:
        rejected = [each.server for each in view.declarations if each.problems]
        error = command_refused(
            f"{' and '.join(rejected)} would be rejected",
            view.problems,
            next="fix the problems above, then run the same command again",
        )
        call.err.print(error_text(error, width=call.err.width).splitlines())
    return ExitStatus.ENDED_IN_ERROR
