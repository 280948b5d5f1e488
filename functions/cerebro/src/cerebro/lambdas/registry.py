"""The registry's Lambda: declarations and server states, from its queue."""

from cerebro.lambdas.runtime import on_queue

handler = on_queue("registry")
