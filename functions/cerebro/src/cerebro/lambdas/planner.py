"""The planner's Lambda: invocations, cancellations and retries, from its queue."""

from cerebro.lambdas.runtime import on_queue

handler = on_queue("planner")
