"""servers: the task servers and their state; and removing one."""

from typing import Annotated

import typer

from cordyna_cli.command_context import CommandContext
from cordyna_cli.commands.lists import AsJson, hint_if_empty
from cordyna_cli.output.errors import command_refused, near_names
from cordyna_cli.output.json_output import array_json
from cordyna_cli.rejected_servers import with_rejected
from cordyna_cli.render.lists import server_problems, servers_table
from cordyna_cli.wording.format import plural
from cordyna_core.contract.commands import RemoveServer
from cordyna_core.contract.views.graph import ServerInfo
from cordyna_core.errors import NotFound, Refusal

servers = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    invoke_without_command=True,
    no_args_is_help=False,
    help="Every task server, its state and its last sign of life.",
)


@servers.callback()
def ls(ctx: typer.Context, *, json: AsJson = False) -> None:
    """Every task server, its state and its last sign of life."""
    if ctx.invoked_subcommand is not None:
        return
    call = CommandContext(ctx)
    known = _servers(call)
    if json:
        call.out.print_json(array_json(known))
    else:
        call.out.print(servers_table(known, call.environment.now(), call.out.width))
        call.err.print(server_problems(known, call.err.width))
    hint_if_empty(call, known)


def _servers(call: CommandContext) -> list[ServerInfo]:
    """Every server, also one whose declaration was rejected just now."""
    try:
        with call.engine() as engine:
            return engine.servers()
    except Refusal as refused:
        with call.engine_without_declaring() as engine:
            return with_rejected(engine, refused.problems)


@servers.command("rm")
def rm(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The server's name.")],
) -> None:
    """Remove a server's declaration: its task names become free. Runs in flight keep their plans.

    The server is back when it declares itself again; on a laptop, when it is named again.
    """
    call = CommandContext(ctx)
    with call.engine_without_declaring() as engine:
        known = {info.server: info for info in engine.servers()}
        info = known.get(name)
        if info is None:
            raise NotFound(
                f'no server "{name}" has declared anything.',
                next=near_names(name, list(known)).replace("dyna tasks", "dyna servers"),
            )
        refused = engine.command(RemoveServer(server=name, revision=info.revision))
    if refused is not None:
        raise command_refused(
            f"{name} cannot be removed", refused.problems, next=f"dyna servers rm {name}"
        )
    tasks = plural(info.tasks, "task")
    call.out.print([f"{name} is removed, with {tasks}"])
