"""Queue handlers: the Lambda handlers that are fed by an SQS queue, one per queue.

registry      declarations and server states
planner       invocations, cancellations and retries
tracker       state updates of task servers, fan-outs
timekeeper    page timers, cron ticks, and the timers of incidents and deadlines
incidents     what may need an owner, snoozes, and notices of completions

Invariant: a handler is its name; what it receives and publishes is in the registry of the contract.
"""

from cerebro.lambdas.runtime import on_queue

registry = on_queue("registry")
planner = on_queue("planner")
tracker = on_queue("tracker")
timekeeper = on_queue("timekeeper")
incidents = on_queue("incidents")
