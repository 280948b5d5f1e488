"""Rehearse: what declaring servers would change. It is `dyna plan --declare`."""

import base64
from collections.abc import Sequence

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.ui import open_in_browser
from cordyna_cli.input.load_declaration import load_declaration
from cordyna_cli.output.errors import command_refused, error_text
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import rehearsal_json
from cordyna_cli.render.rehearsal import rehearsal_lines
from cordyna_cli.wording.format import join_names
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.views.rehearsal import RehearsalView
from cordyna_core.errors import UserError, fix_problems


def rehearse(
    call: CommandContext,
    targets: Sequence[str],
    *,
    as_json: bool,
    in_console: bool = False,
    strict: bool = False,
) -> ExitStatus:
    """Show what would change; exit as declaring would end.

    `in_console`: open it there, too. `strict`: a break between two tasks is an error.
    """
    declared = [load_declaration(target, call.environment.cwd) for target in targets]
    with call.engine_without_declaring() as engine:
        view = engine.rehearse(declared)
        if in_console:
            open_in_browser(call, engine, "/rehearse", fragment=_fragment(declared))
    if as_json:
        call.out.print_json(rehearsal_json(view))
    else:
        call.out.print(rehearsal_lines(view, call.out.width))
    if not view.problems:
        return _breaks(call, view, as_json=as_json) if strict else ExitStatus.COMPLETED
    if not as_json:
        rejected = [change.server for change in view.declarations if change.problems]
        error = command_refused(
            f"{' and '.join(rejected)} would be rejected",
            view.problems,
            next=f"{fix_problems(len(view.problems))}, then run the same command again",
        )
        call.err.print(error_text(error, width=call.err.width).splitlines())
    return ExitStatus.ENDED_IN_ERROR


def _breaks(call: CommandContext, view: RehearsalView, *, as_json: bool) -> ExitStatus:
    """Refuse what cerebro would accept, if a task would break."""
    broken = {n.task: None for n in view.notices if n.code in ("breaks", "not_allowed")}
    if broken and not as_json:
        error = UserError(
            f"the declaration would break {join_names(list(broken))}, which --strict refuses.",
            next="agree with the owners above, or plan without --strict",
        )
        call.err.print(error_text(error, width=call.err.width).splitlines())
    return ExitStatus.ENDED_IN_ERROR if broken else ExitStatus.COMPLETED


def _fragment(declared: Sequence[ServerDeclared]) -> str:
    """The declarations as the page reads them: after `#`, which no server is sent."""
    texts = [declaration.model_dump_json(exclude_unset=True) for declaration in declared]
    return base64.urlsafe_b64encode(f"[{','.join(texts)}]".encode()).decode()
