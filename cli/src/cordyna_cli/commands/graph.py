"""plan, graph: what depends on what."""

from enum import StrEnum
from typing import Annotated

import typer

from cordyna_cli.commands.rehearse import rehearse
from cordyna_cli.input.command_context import CommandContext
from cordyna_cli.output.errors import Misuse, error_text, near_names, refusal, status_of
from cordyna_cli.output.exit_status import ExitStatus
from cordyna_cli.output.json_output import plan_json
from cordyna_cli.render.graph import closure, graph_json, graph_mermaid, graph_tree
from cordyna_cli.render.lists import plan_table
from cordyna_core.errors import NotFound


class Form(StrEnum):
    """How a graph is written."""

    tree = "tree"
    mermaid = "mermaid"
    json = "json"


def plan(
    ctx: typer.Context,
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="The task whose plan you want to see.")
    ] = None,
    *,
    declare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE_OR_FILE[:NAME]",
            help="Instead: what would change if this task server declared itself now (again for more, in that order). "
            "Also a JSON file with a declaration.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> ExitStatus:
    """What `do TASK` would run, in topological order, or why it would be refused; with --declare, what declaring would change."""
    call = CommandContext(ctx)
    if (task is None) == (not declare):
        raise Misuse(
            "plan takes a task, or --declare.", next="dyna plan TASK, or dyna plan --declare my.py"
        )
    return (
        _plan_of(call, task, as_json=json)
        if task is not None
        else rehearse(call, declare or (), as_json=json)
    )


def _plan_of(call: CommandContext, task: str, *, as_json: bool) -> ExitStatus:
    with call.engine() as engine:
        found = engine.plan(task)
        complaint = refusal(task, found.problems, engine) if found.problems else None
    if as_json:
        call.out.print_json(plan_json(found))
    else:
        call.out.print(plan_table(found, call.out.width))
    if complaint is None:
        return ExitStatus.COMPLETED
    if not as_json:
        call.err.print(error_text(complaint).splitlines())
    return status_of(complaint)


def graph(
    ctx: typer.Context,
    task: Annotated[
        str | None,
        typer.Argument(metavar="[TASK]", help="Only this task and what is upstream of it."),
    ] = None,
    *,
    output: Annotated[Form, typer.Option("-o", "--output", help="How it is written.")] = Form.tree,
) -> None:
    """All declared tasks, each above what it needs."""
    call = CommandContext(ctx)
    with call.engine() as engine:
        found = engine.tasks()
    if task is not None:
        names = [info.task for info in found]
        if task not in names:
            raise NotFound(f'no server declares a task "{task}".', next=near_names(task, names))
        found = closure(found, task)
    match output:
        case Form.tree:
            call.out.print(graph_tree(found, call.out.width))
        case Form.mermaid:
            call.out.print([graph_mermaid(found)])
        case Form.json:
            call.out.print_json(graph_json(found))
