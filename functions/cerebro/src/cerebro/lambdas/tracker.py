"""The tracker's Lambda: what servers say of their tasks, from its queue."""

from cerebro.lambdas.runtime import on_queue

handler = on_queue("tracker")
