"""Refusal: the answer to a command that is not done.

Invariant: a refusal is never silent, and it lists every problem.
"""

from collections.abc import Sequence

from cerebro.core.effects import Now, Publish
from cerebro.core.messages import invocation_rejected, traceparent_of
from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import Envelope


async def refuse(
    envelope: Envelope,
    subject: str,
    problems: Sequence[Problem],
    *,
    sender: tuple[str, str] | None = None,
) -> None:
    """Answer a command with its problems.

    `subject`: the task, run or incident that the command is about. `sender`: the run and task whose
    body sent the command, if it was one.
    """
    now = await Now()
    rejected = invocation_rejected(
        envelope.id,
        subject,
        problems,
        now=now,
        traceparent=traceparent_of(envelope),
        sender=sender,
    )
    await Publish((rejected,))
