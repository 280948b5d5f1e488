"""The query function's Lambda: called by whoever wants to know, with a query of the contract."""

from cerebro.entry.face import Event, Face, LambdaContext, on_call
from cerebro.handlers.answers import answer


def _answer(here: Face, event: Event, context: LambdaContext) -> Event:
    return answer(event, here.ports).model_dump(mode="json")


handler = on_call("query", _answer)
