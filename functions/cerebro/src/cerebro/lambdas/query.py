"""The Lambda handler of the query function: answers one query of the contract
(`cordyna_core.contract.query_api`).
"""

from cerebro.handlers.query_api import answer
from cerebro.lambdas.runtime import Event, LambdaContext, LambdaRuntime, on_call


def _answer(runtime: LambdaRuntime, event: Event, context: LambdaContext) -> Event:
    return answer(event, runtime.ports).model_dump(mode="json")


handler = on_call("query", _answer)
