"""Run commands: what CancelRun and RetryRun have in common.

Invariant: the ids of applied commands are stored with the run, so a repeated command acts once, and
every command is answered: applied, found applied, or refused (docs/rules.md, rules 7 and 8).
"""

from cerebro.core.effects import ReadRunSnapshot
from cerebro.core.model.run import RunSnapshot
from cerebro.core.refusal import refuse
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import derived_id, server_of
from cordyna_core.contract.limits import MAX_COMMAND_ID_CHARS
from cordyna_core.contract.refusals import not_your_run, unknown_run


async def addressed_run(envelope: Envelope, run_id: str) -> RunSnapshot | None:
    """Return the run that a command is about; None if the command was refused."""
    snapshot = await ReadRunSnapshot(run_id)
    if snapshot is None:
        await refuse(envelope, run_id, [unknown_run(run_id)])
        return None
    caller, owner = server_of(envelope.source), snapshot.plan.tasks[snapshot.plan.target].server
    if caller is not None and caller != owner:
        await refuse(envelope, snapshot.run.task, [not_your_run(caller, owner)])
        return None
    return snapshot


def kept_id(command: CancelRun | RetryRun, envelope: Envelope) -> str:
    """Return the id under which a command is kept with its run: of a long one, a hash.

    1,000 ids of 128 emoji would not fit into one item of the store.
    """
    command_id = command.command_id or envelope.id
    size = len(command_id.encode("utf-8", "surrogatepass"))
    return command_id if size <= MAX_COMMAND_ID_CHARS else derived_id("command", command_id)
