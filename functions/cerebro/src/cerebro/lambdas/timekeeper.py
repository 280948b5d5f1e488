"""The timekeeper's Lambda: rings, walks and ticks, from its queue."""

from cerebro.lambdas.runtime import on_queue

handler = on_queue("timekeeper")
