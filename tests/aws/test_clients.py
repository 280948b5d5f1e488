"""The clients of AWS's services: what a call that does not answer may take."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff, RetryContext

from cerebro.lambdas.wiring import CALL_MAX_S, CONNECT_TIMEOUT_S, READ_TIMEOUT_S, aws_client
from cordyna_core.aws.clients import PAUSES_MAX_S, TRIES_MAX, client, longest_call_s


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    client.cache_clear()
    yield
    client.cache_clear()


@pytest.mark.parametrize("service", ["dynamodb", "events", "sqs", "stepfunctions", "scheduler"])
def test_clients_of_cerebro_give_up_in_time(service: str) -> None:
    config: Any = aws_client(service).meta.config
    tries = config.retries["total_max_attempts"]
    assert config.retries["mode"] == "standard"
    assert tries * (config.connect_timeout + config.read_timeout) + PAUSES_MAX_S == CALL_MAX_S
    assert (config.connect_timeout, config.read_timeout) == (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)


def test_longest_call_has_all_tries_and_pauses() -> None:
    config: Any = client("sqs", connect_timeout_s=2, read_timeout_s=7).meta.config
    assert config.retries["total_max_attempts"] == TRIES_MAX == 3
    assert longest_call_s(connect_timeout_s=2, read_timeout_s=7) == 3 * (2 + 7) + PAUSES_MAX_S


def test_pauses_are_no_longer_than_those_of_botocore() -> None:
    """After throttling, which has the longest ones, and with the least lucky jitter."""
    detector: Any = SimpleNamespace(is_throttling_error_from_context=lambda _: True)
    backoff = ExponentialBackoff(random=lambda: 1.0, throttling_detector=detector)
    pauses = [
        backoff.delay_amount(RetryContext(attempt_number=number)) for number in range(1, TRIES_MAX)
    ]
    assert sum(pauses) <= PAUSES_MAX_S
