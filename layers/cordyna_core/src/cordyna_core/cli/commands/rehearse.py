"""rehearse: what declaring servers would change. It is `dyna plan --declare`."""

from collections.abc import Sequence

from cordyna_core.cli.call import Call
from cordyna_core.cli.complaints import error_text, refused
from cordyna_core.cli.exit_status import ExitStatus
from cordyna_core.cli.published import rehearsal_json
from cordyna_core.cli.render.rehearsal import rehearsal_lines
from cordyna_core.cli.to_declare import declaration_of


def rehearse(call: Call, targets: Sequence[str], *, as_json: bool) -> ExitStatus:
    """Show what would change; exit as declaring would end."""
    declared = [declaration_of(target, call.environment.cwd) for target in targets]
    with call.engine_as_it_is() as engine:
        view = engine.rehearse(declared)
    if as_json:
        call.out.print_json(rehearsal_json(view))
    else:
        call.out.print(rehearsal_lines(view, call.out.width))
    if not view.problems:
        return ExitStatus.COMPLETED
    if not as_json:
        rejected = [each.server for each in view.declarations if each.problems]
        complaint = refused(f"{' and '.join(rejected)} would be rejected", view.problems, next="mend what is listed, then the same again")
        call.err.print(error_text(complaint).splitlines())
    return ExitStatus.ENDED_IN_ERROR
