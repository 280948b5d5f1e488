"""Reactions: what cerebro does about each kind of message. This table is the whole of it."""

from collections.abc import Callable
from typing import Final

from cerebro.core import hear, invoke, look, order, register, tick
from cerebro.core.effects import Program, Ring, Tick, Walk
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.contract.declared import ServerDeclared
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.message import Message
from cordyna_core.contract.state_updates import ServerStateChanged, TaskStateChanged

REACTIONS: Final[dict[type[Message], Callable[[Envelope], Program]]] = {
    ServerDeclared: register.server_declared,
    ServerStateChanged: register.server_state_changed,
    InvokeTask: invoke.invoke_task,
    CancelRun: order.cancel_run,
    RetryRun: order.retry_run,
    TaskStateChanged: hear.task_state_changed,
}
"""Messages of the bus."""


def react(message: Envelope | Ring | Walk | Tick) -> Program | None:
    """The program that answers a message; None for what cerebro does not listen to."""
    match message:
        case Ring():
            return look.ring(message)
        case Walk():
            return hear.go_on(message)
        case Tick():
            return tick.tick(message)
        case Envelope():
            reaction = REACTIONS.get(type(message.message))
            return reaction(message) if reaction else None
