"""plan, graph: what depends on what."""

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.lists import hint_if_empty
from cordyna_cli.commands.not_loaded import note_servers_not_loaded
from cordyna_cli.commands.rehearse import rehearse
from cordyna_cli.commands.ui import OpenPage, open_in_browser
from cordyna_cli.output.errors import error_text, exit_status_of, invocation_refused, task_info_of
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import plan_json
from cordyna_cli.render.graph import closure, graph_json, graph_mermaid, graph_tree
from cordyna_cli.render.lists import plan_table
from cordyna_cli.usage_error import UsageError


class GraphFormat(StrEnum):
    """How a graph is written."""

    tree = "tree"
    mermaid = "mermaid"
    json = "json"


def plan(
    ctx: typer.Context,
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="The task whose plan you want to see.")
    ] = None,
    *,
    declare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE_OR_FILE[:NAME]",
            help="Instead: what would change if this task server declared itself now "
            "(again for more, in that order). Also a JSON file with a declaration.",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="With --declare, also exit with 1 if another owner's task would break.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    open_page: OpenPage = False,
) -> ExitStatus:
    """What `do TASK` would run, in topological order, or why it would be refused.

    With --declare, what declaring would change.
    """
    call = CommandContext(ctx)
    if (task is None) == (not declare):
        raise UsageError(
            "plan takes a task, or --declare.", next="dyna plan TASK, or dyna plan --declare my.py"
        )
    return (
        _plan_of(call, task, as_json=json, in_console=open_page)
        if task is not None
        else rehearse(call, declare or (), as_json=json, in_console=open_page, strict=strict)
    )


def _plan_of(call: CommandContext, task: str, *, as_json: bool, in_console: bool) -> ExitStatus:
    with call.engine() as engine:
        view = engine.plan(task)
        note_servers_not_loaded(call, engine)
        error = invocation_refused(task, view.problems, engine) if view.problems else None
        if in_console:
            open_in_browser(call, engine, f"/invoke/{quote(task)}")
    if as_json:
        call.out.print_json(plan_json(view))
    else:
        call.out.print(plan_table(view, call.out.width))
    if error is None:
        return ExitStatus.COMPLETED
    if not as_json:
        call.err.print(error_text(error, width=call.err.width).splitlines())
    return exit_status_of(error)


def graph(
    ctx: typer.Context,
    task: Annotated[
        str | None,
        typer.Argument(metavar="TASK", help="Only this task and what is upstream of it."),
    ] = None,
    *,
    output: Annotated[
        GraphFormat, typer.Option("-o", "--output", help="How it is written.")
    ] = GraphFormat.tree,
) -> None:
    """All declared tasks, each above what it needs."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        tasks = engine.tasks()
        is_incomplete = note_servers_not_loaded(call, engine)
    if task is not None:
        tasks = closure(tasks, task_info_of(tasks, task).task)
    match output:
        case GraphFormat.tree:
            call.out.print(graph_tree(tasks, call.out.width))
        case GraphFormat.mermaid:
            call.out.print([graph_mermaid(tasks)])
        case GraphFormat.json:
            call.out.print_json(graph_json(tasks))
    if not is_incomplete:
        hint_if_empty(call, tasks)
