"""incidents, snooze: what needs an owner."""

from datetime import timedelta
from typing import Annotated, Final

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.lists import AsJson
from cordyna_cli.input.incident_selector import resolve_incident
from cordyna_cli.input.parse_time import parse_seconds
from cordyna_cli.output.errors import command_refused
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import views_json
from cordyna_cli.render.incidents import incidents_table
from cordyna_cli.wording.format import moment, plural
from cordyna_core.contract.incidents import SnoozeIncident
from cordyna_core.contract.views.incidents import IncidentView

ENDS_SNOOZE: Final = "10s"
"""It replaces a longer snooze; a much shorter one could be over before cerebro receives it."""


def incidents(
    ctx: typer.Context,
    *,
    owner: Annotated[
        str | None, typer.Option(metavar="OWNER", help="Only what this owner has to act on.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also closed ones, as long as they are kept.")
    ] = False,
    json: AsJson = False,
) -> None:
    """What needs an owner, the newest first: one incident for each cause.

    A task that failed, was late or did not begin; a server that does not answer, or whose
    declaration was rejected. With what waits for it.
    """
    call = CommandContext(ctx)
    with call.engine() as engine:
        known = engine.incidents(closed=every)
    shown = [incident for incident in known if owner in (None, incident.owner)]
    if json:
        call.out.print_json(views_json(shown))
    else:
        call.out.print(incidents_table(shown, call.environment.now(), call.out.width))
    if not json:
        call.err.note(_notes(shown, known, owner))


def _notes(shown: list[IncidentView], known: list[IncidentView], owner: str | None) -> list[str]:
    waiting = [
        incident
        for incident in known
        if owner is not None
        and incident not in shown
        and owner in {blocked.owner for blocked in incident.blocked}
    ]
    notes = [] if shown else ["no incident" if owner is None else f"no incident of {owner}"]
    if waiting:
        verb = "holds" if len(waiting) == 1 else "hold"
        notes.append(
            f"{plural(len(waiting), 'incident')} of other owners {verb} up tasks of {owner};"
            " nothing to do"
        )
        notes.append("  next: dyna incidents")
    elif shown:
        open_first = next((one for one in shown if one.state == "open"), shown[0])
        notes.append(f"  next: dyna why {open_first.incident}")
    return notes


def snooze(
    ctx: typer.Context,
    incident: Annotated[
        str, typer.Argument(metavar="INCIDENT", help="Its id, or the beginning of it.")
    ],
    span: Annotated[str, typer.Argument(metavar="SPAN", help="For how long: 30m, 2h, 1d.")],
) -> ExitStatus:
    """Publish nothing more about INCIDENT for SPAN, but its end; then it is published again."""
    call = CommandContext(ctx)
    now = call.environment.now()
    until = now + timedelta(seconds=parse_seconds(span))
    with call.engine() as engine:
        view = resolve_incident(engine, incident)
        refused = engine.command(SnoozeIncident(incident=view.incident, until=until))
    if refused is not None:
        has_passed = any(problem.code == "until_has_passed" for problem in refused.problems)
        sooner = f"dyna snooze {view.incident} {ENDS_SNOOZE}   (a snooze ends with the next one)"
        raise command_refused(
            f"incident {view.incident} cannot be snoozed",
            refused.problems,
            next=sooner if has_passed else "dyna incidents",
        )
    call.out.print([f"incident {view.incident} is snoozed until {moment(until, now)}"])
    return ExitStatus.COMPLETED
