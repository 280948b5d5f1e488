"""Cancel run: what a CancelRun does.

Invariant: a cancellation is final at once (docs/rules.md, rule 8).
"""

from dataclasses import replace

from cerebro.core.effects import Now, Publish
from cerebro.core.messages import command_answer, run_state_changed
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.refusal import refuse
from cerebro.core.run.cancellation import cancel_live
from cerebro.core.run.run_access import read_run, write_run
from cerebro.core.run.run_commands import addressed_run, kept_id
from cordyna_core.contract.base import Message, RootCause
from cordyna_core.contract.commands import CancelRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.refusals import run_completed


async def cancel_run(envelope: Envelope) -> None:
    """End a run finally: cancel what is live, and tell its servers to stop.

    What waits needs no write: that it is cancelled is derived from the run.
    """
    command = envelope.message
    assert isinstance(command, CancelRun)
    snapshot = await addressed_run(envelope, command.run_id)
    if snapshot is None:
        return
    command_id = kept_id(command, envelope)
    cause = derived_id("CancelRun", command.run_id, command_id)
    run = await read_run(command.run_id)
    is_new = False
    while run.status != "cancelled":
        if run.status == "completed":
            await refuse(envelope, run.task, [run_completed()])
            return
        new = replace(
            run,
            status="cancelled",
            rev=run.rev + 1,
            cause=cause,
            version=run.version + 1,
            commands=(*run.commands, command_id),
        )
        stored = await write_run(new, run)
        is_new, run = stored is None, stored or new
    await cancel_live(snapshot, snapshot.plan.pages, cause=cause)
    await _answer_cancelled(envelope, snapshot, run, is_new=is_new, is_cause=run.cause == cause)


async def _answer_cancelled(
    envelope: Envelope, snapshot: RunSnapshot, run: Run, *, is_new: bool, is_cause: bool
) -> None:
    """Publish the end of the run if this command cancelled it, now or in an earlier delivery.

    The end has one id, and a consumer drops what has an id that it knows. So another command,
    which found the run cancelled or was overtaken, has only an answer of its own.
    """
    target = snapshot.plan.tasks[snapshot.plan.target]
    by_hand = [
        RootCause(task=run.task, server=target.server, owner=target.owner, reason="cancelled")
    ]
    now = await Now()
    messages: list[Message] = []
    if is_cause:
        end = run_state_changed(run, "error", cause=envelope.id, now=now, root_causes=by_hand)
        messages.append(end)
    if not is_new:
        messages.append(command_answer(run, envelope.id, now=now, root_causes=by_hand))
    await Publish(tuple(messages))
