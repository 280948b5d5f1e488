"""The query function's Lambda: called by whoever wants to know, with a query of the contract."""

from cerebro.handlers.query_api import answer
from cerebro.lambdas.runtime import Event, LambdaContext, LambdaRuntime, on_call


def _answer(here: LambdaRuntime, event: Event, context: LambdaContext) -> Event:
    return answer(event, here.ports).model_dump(mode="json")


handler = on_call("query", _answer)
