"""Mended: the emulator ministack, with three things mended that cordyna needs and that it does otherwise than AWS.

Law: each mend asserts that what it mends is still there, so that another version is looked at before it is used. It runs in the emulator's
own environment and imports nothing of cordyna's.
"""

import inspect
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from ministack import app
from ministack.core.arn import parse_arn
from ministack.services import cloudwatch_logs, eventbridge, lambda_svc, scheduler

TICK_S = 1
BODIES_AT_ONCE = 4
"""Of one function, when events invoke it: each has a process of its own, and a laptop is small."""

_log = logging.getLogger("mended")
_pools: dict[str, ThreadPoolExecutor] = {}


def look_at_schedules_every_second() -> None:
    """It looks every 10 s; a ring would be late by as much."""
    assert scheduler._SCHEDULE_TICK_INTERVAL == 10
    assert "time.sleep(_SCHEDULE_TICK_INTERVAL)" in inspect.getsource(scheduler._ticker_loop)
    scheduler._SCHEDULE_TICK_INTERVAL = TICK_S


def invoke_by_events_as_lambda_does() -> None:
    """It starts a process for each event of a burst, and forgets an event whose function fails."""
    source = inspect.getsource(eventbridge._dispatch_to_lambda)
    assert list(inspect.signature(eventbridge._dispatch_to_lambda).parameters) == ["arn", "payload"]
    assert "threading.Thread(" in source
    assert "DeadLetter" not in source
    assert "_dispatch_to_lambda(arn, event_payload)" in inspect.getsource(
        eventbridge._invoke_target
    )
    eventbridge._dispatch_to_lambda = _invoke_in_a_pool


def _invoke_in_a_pool(arn: str, payload: str) -> None:
    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        _log.warning("an event is for the function %s, which is not there", name)
        return
    record = lambda_svc._execution_record_for_config(function, config)
    pool = _pools.setdefault(arn, ThreadPoolExecutor(BODIES_AT_ONCE, thread_name_prefix=name))
    pool.submit(copy_context().run, _invoke, record, config, payload)


def _invoke(record: dict[str, Any], config: dict[str, Any], payload: str) -> None:
    result = lambda_svc._execute_function_with_config_scope(record, json.loads(payload))
    dead_letters = (config.get("DeadLetterConfig") or {}).get("TargetArn")
    if result.get("error"):
        _log.warning("%s failed: %s", config.get("FunctionName"), result.get("body"))
        if dead_letters:
            eventbridge._dispatch_to_sqs(parse_arn(dead_letters), payload, {})


def deliver_to_log_groups() -> None:
    """It takes a log group as a rule's target, and delivers nothing to it."""
    source = inspect.getsource(eventbridge._invoke_target)
    assert '"logs"' not in source
    assert "unsupported target type" in source
    assert list(inspect.signature(eventbridge._invoke_target).parameters)[:2] == ["target", "event"]
    otherwise = eventbridge._invoke_target

    def invoke_target(
        target: dict[str, Any], event: dict[str, Any], rule: Any, view: Any = None
    ) -> None:
        if ":logs:" not in target.get("Arn", ""):
            otherwise(target, event, rule, view)
            return
        group = target["Arn"].split(":log-group:")[1].removesuffix(":*")
        cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": "events"})
        passed = json.dumps((view or eventbridge._pattern_event_view(event)).event_with_detail())
        cloudwatch_logs._put_log_events(
            {"logGroupName": group, "logStreamName": "events", "logEvents": [{"message": passed}]}
        )

    eventbridge._invoke_target = invoke_target


if __name__ == "__main__":
    look_at_schedules_every_second()
    invoke_by_events_as_lambda_does()
    deliver_to_log_groups()
    app.main()
