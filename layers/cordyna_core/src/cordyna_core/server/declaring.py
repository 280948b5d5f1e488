"""Declaring: publishing the tasks of a server, from its process or from the one that serves it."""

from cordyna_core.attempt import PRODUCER
from cordyna_core.contract.base import Message, meta_at
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.state_updates import ServerStateChanged
from cordyna_core.ports import Bus, Clock


def publish_declaration(
    declaration: ServerDeclared, *, bus: Bus, clock: Clock, cause: Message | None = None
) -> None:
    """Publish all tasks of a server, and that it is ready. Raises what the bus raises.

    `cause`: the message that asks for it, if any.
    """
    now = clock()
    cause_id = cause.meta.id if cause is not None and cause.meta is not None else None

    def with_meta(message: Message) -> Message:
        parts = (type(message).__name__, declaration.server, cause_id or f"{now:.6f}")
        meta = meta_at(now, derived_id(*parts), cause_id).model_copy(update={"producer": PRODUCER})
        return message.model_copy(update={"meta": meta})

    ready = ServerStateChanged(server=declaration.server, state="ready")
    bus.publish([with_meta(declaration), with_meta(ready)])
