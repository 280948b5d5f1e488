"""The registry's Lambda: declarations and server states, from its queue."""

from cerebro.entry.face import on_queue

handler = on_queue("registry")
