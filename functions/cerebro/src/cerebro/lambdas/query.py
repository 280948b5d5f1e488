"""Query: the Lambda handler that answers one query of the contract.

The queries are in `cordyna_core.contract.query_api`.

Invariant: it reads only, and it answers every query, also an invalid one.
"""

from cerebro.handlers.query_api import answer
from cerebro.lambdas.runtime import Event, LambdaContext, LambdaRuntime, on_call


def _answer(runtime: LambdaRuntime, event: Event, context: LambdaContext) -> Event:
    return answer(event, runtime.ports).model_dump(mode="json")


handler = on_call("query", _answer)
