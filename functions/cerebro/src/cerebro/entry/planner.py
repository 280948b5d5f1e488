"""The planner's Lambda: invocations, cancellations and retries, from its queue."""

from cerebro.entry.face import on_queue

handler = on_queue("planner")
