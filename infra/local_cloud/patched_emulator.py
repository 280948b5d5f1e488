"""The emulator ministack with three patches, where it differs from AWS in what cordyna needs.

Invariant: each patch asserts the code that it replaces, so that it fails on another version of the
emulator. It runs in the emulator's own environment and imports nothing of cordyna.
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
CONCURRENT_EVENTS_MAX = 4
"""Concurrent invocations of one function by events: each has a process of its own."""

_log = logging.getLogger("patched_emulator")
_pools: dict[str, ThreadPoolExecutor] = {}


def check_schedules_every_second() -> None:
    """The emulator checks every 10 s, which would delay page timers as much."""
    assert scheduler._SCHEDULE_TICK_INTERVAL == 10
    assert "time.sleep(_SCHEDULE_TICK_INTERVAL)" in inspect.getsource(scheduler._ticker_loop)
    scheduler._SCHEDULE_TICK_INTERVAL = TICK_S


def bound_invocations_by_events() -> None:
    """The emulator starts a process per event, and drops an event whose function fails."""
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
        _log.warning("an event was dropped: its function %s does not exist", name)
        return
    record = lambda_svc._execution_record_for_config(function, config)
    pool = _pools.setdefault(
        arn, ThreadPoolExecutor(CONCURRENT_EVENTS_MAX, thread_name_prefix=name)
    )
    pool.submit(copy_context().run, _invoke, function, record, config, payload)


def _invoke(
    function: dict[str, Any], record: dict[str, Any], config: dict[str, Any], payload: str
) -> None:
    result = lambda_svc._execute_function_with_config_scope(record, json.loads(payload))
    dead_letters = (config.get("DeadLetterConfig") or {}).get("TargetArn")
    if result.get("error"):
        _log.warning("%s failed: %s", config.get("FunctionName"), result.get("body"))
        invoke_config = function.get("event_invoke_config") or (
            function.get("event_invoke_configs") or {}
        ).get("$LATEST", {})
        destination = (invoke_config.get("DestinationConfig") or {}).get("OnFailure", {})
        if destination.get("Destination"):
            lambda_svc._route_async_failure(
                destination["Destination"], config["FunctionName"], json.loads(payload), result
            )
        if dead_letters:
            eventbridge._dispatch_to_sqs(parse_arn(dead_letters), payload, {})


def deliver_to_log_groups() -> None:
    """The emulator accepts a log group as a rule's target, but delivers nothing to it."""
    source = inspect.getsource(eventbridge._invoke_target)
    assert '"logs"' not in source
    assert "unsupported target type" in source
    assert list(inspect.signature(eventbridge._invoke_target).parameters)[:2] == ["target", "event"]
    original = eventbridge._invoke_target

    def invoke_target(
        target: dict[str, Any], event: dict[str, Any], rule: Any, view: Any = None
    ) -> None:
        if ":logs:" not in target.get("Arn", ""):
            original(target, event, rule, view)
            return
        group = target["Arn"].split(":log-group:")[1].removesuffix(":*")
        cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": "events"})
        message = json.dumps((view or eventbridge._pattern_event_view(event)).event_with_detail())
        cloudwatch_logs._put_log_events(
            {"logGroupName": group, "logStreamName": "events", "logEvents": [{"message": message}]}
        )

    eventbridge._invoke_target = invoke_target


if __name__ == "__main__":
    check_schedules_every_second()
    bound_invocations_by_events()
    deliver_to_log_groups()
    app.main()
