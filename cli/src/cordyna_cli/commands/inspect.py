"""show, why, timeline, events: look at one run."""

from typing import Annotated

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.do import AsJson, Run
from cordyna_cli.commands.ui import OpenPage, open_in_browser, page_of
from cordyna_cli.engine import Engine
from cordyna_cli.full_reason import reason_with_events
from cordyna_cli.input.incident_selector import SHORTEST, incidents_beginning_with
from cordyna_cli.input.run_selector import resolve_run_and_task, resolve_run_id
from cordyna_cli.output.errors import near_names
from cordyna_cli.output.json_output import event_json, object_json, run_json, why_json
from cordyna_cli.render.incidents import incident_lines
from cordyna_cli.render.run.events import events_table
from cordyna_cli.render.run.outcome import invocation_lines, whole_run
from cordyna_cli.render.run.timeline import timeline_chart
from cordyna_cli.render.run.why import why_lines, why_task_lines
from cordyna_cli.task_progress import TaskProgress
from cordyna_core.contract.views.incidents import IncidentView
from cordyna_core.contract.views.runs import RunView, TaskView
from cordyna_core.errors import NotFound

RunOrTask = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN",
        help="Its id, or the beginning of it; or a task: of the last run, else of its own last "
        "run. Default: the last run.",
    ),
]
Task = Annotated[str | None, typer.Argument(metavar="TASK", help="Only this task.")]


def show(
    ctx: typer.Context,
    run: Run = None,
    *,
    every: Annotated[
        bool,
        typer.Option(
            "--all", help="Every task of a large run, also those in which nothing happens."
        ),
    ] = False,
    json: AsJson = False,
) -> None:
    """When a run was invoked and with what, its tasks as a tree, and how it ended or proceeds."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        run_id = resolve_run_id(engine, run)
        view = engine.run(run_id)
        if not json:
            view = TaskProgress(run_id).added_to(view, engine)
        if not json and not view.is_final:
            call.print_driver(engine)
    if json:
        call.out.print_json(run_json(view))
    else:
        now, width = call.environment.now(), call.out.width
        call.out.print(invocation_lines(view, now, width))
        call.out.print(whole_run(view, now, width, everything=every))


def why(
    ctx: typer.Context,
    run: RunOrTask = None,
    task: Task = None,
    *,
    json: AsJson = False,
    open_page: OpenPage = False,
) -> None:
    """Why a run, one of its tasks, or an incident is as it is; and what to type next."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        incident = None if run is None or task is not None else _incident(engine, run)
        if incident is not None:
            _why_incident(call, incident, as_json=json)
            return
        run_id, name = resolve_run_and_task(engine, run, task)
        view = engine.run(run_id)
        task_run = None if name is None else task_of(view, name)
        if open_page:
            open_in_browser(call, engine, page_of(engine, run_id, name))
        if not view.is_final:
            call.note_without_driver(engine)
        width = call.out.width
        reason = reason_with_events(engine, view, task_run, call.environment.now())
    if json:
        call.out.print_json(why_json(view.run_id, name or view.task, reason))
    elif task_run is None:
        call.out.print(why_lines(view, reason, width))
    else:
        call.out.print(why_task_lines(task_run, reason, width))


def _incident(engine: Engine, typed: str) -> IncidentView | None:
    """The incident that is meant by a word that is neither a run nor a task."""
    if len(typed) < SHORTEST or not typed.isalnum():
        return None
    matches = incidents_beginning_with(engine, typed)
    return matches[0] if len(matches) == 1 else None


def _why_incident(call: CommandContext, incident: IncidentView, *, as_json: bool) -> None:
    if as_json:
        call.out.print_json(object_json(incident.model_dump(mode="json")))
    else:
        call.out.print(incident_lines(incident, call.environment.now(), call.out.width))


def timeline(ctx: typer.Context, run: Run = None, *, json: AsJson = False) -> None:
    """When each task of a run waited, was sent, was queued and ran."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        view = engine.run(resolve_run_id(engine, run))
    if json:
        call.out.print_json(run_json(view))
    else:
        call.out.print(timeline_chart(view, call.environment.now(), call.out.width))


def events(
    ctx: typer.Context,
    run: Run = None,
    *,
    every: Annotated[
        bool,
        typer.Option("--all", help="Everything that passed the bus, not only one run's events."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One envelope a line.")] = False,
) -> None:
    """The events of a run, by their times: who sent what to whom.

    With --json, in the order they passed the bus.
    """
    call = CommandContext(ctx)
    with call.engine() as engine:
        passed = engine.events(None if every else resolve_run_id(engine, run))
    texts = [event.text for event in passed]
    if json:
        call.out.print_json(*map(event_json, texts))
    else:
        call.out.print(events_table(texts, call.out.width))


def task_of(view: RunView, name: str) -> TaskView:
    """The task run called `name`. Raises NotFound."""
    task = next((task for task in view.tasks if task.task == name), None)
    if task is None:
        names = [task.task for task in view.tasks]
        raise NotFound(
            f'run {view.run_id} has no task "{name}".',
            next=near_names(name, names).replace("dyna tasks", f"dyna show {view.run_id}"),
        )
    return task
