"""The retry policy: what is declared to cerebro, and what the library decides itself."""

from typing import Any

import pytest

from cordyna_core import RetryableError, TaskServer, TerminalError, UserError
from server.builders import declared


def test_pauses_are_declared_and_classes_are_not() -> None:
    server = TaskServer("a")

    @server.task(
        retries=3,
        retry_delay="30s",
        retry_backoff=1.5,
        retry_max_delay="10m",
        retry_jitter=False,
        retry_on=(TimeoutError,),
        never_retry_on=KeyError,
    )
    def load() -> None: ...

    dumped = server.declaration.model_dump(mode="json", exclude_defaults=True)
    assert dumped["contract"] == "2"
    assert dumped["tasks"] == [
        {
            "name": "load",
            "retries": 3,
            "retry_delay_s": 30,
            "retry_backoff": 1.5,
            "retry_jitter": False,
        }
    ]


def test_policy_of_the_defaults_stays_in_contract_1() -> None:
    server = TaskServer("a")
    options: dict[str, Any] = {"retry_delay": 5, "retry_max_delay": "10m", "retry_on": OSError}
    server.task(name="x", retries=1, **options)(lambda: None)
    assert server.declaration.contract == "1"


@pytest.mark.parametrize(
    ("error", "options", "reason"),
    [
        (OSError(), {}, "failed"),
        (TimeoutError(), {"retry_on": OSError}, "failed"),
        (ValueError(), {"retry_on": (OSError, KeyError)}, "failed_terminal"),
        (RetryableError(), {"retry_on": ()}, "failed"),
        (TerminalError(), {"retry_on": TerminalError}, "failed_terminal"),
        (TimeoutError(), {"retry_on": OSError, "never_retry_on": TimeoutError}, "failed_terminal"),
        (RetryableError(), {"never_retry_on": [RetryableError]}, "failed_terminal"),
        (SystemExit(1), {"retry_on": (Exception,)}, "failed_terminal"),
    ],
)
def test_class_of_the_exception_decides_whether_it_is_retried(
    error: BaseException, options: dict[str, Any], reason: str
) -> None:
    server = TaskServer("a")

    def body() -> None:
        raise error

    server.task(name="x", retries=3, **options)(body)
    result = server.test_run("x")
    assert result.reason == reason
    assert result.error is not None
    assert result.error.retryable is (reason == "failed")


@pytest.mark.parametrize(
    ("options", "message", "next_step"),
    [
        ({"retry_delay": "soon"}, "'soon' is not a duration", "give whole seconds"),
        ({"retry_delay": 0}, "retry_delay_s=0: ", "from 1 second to 7 days"),
        ({"retry_max_delay": "8d"}, "retry_max_delay_s=691200: ", "from 1 second to 7 days"),
        ({"retry_backoff": 0.5}, "retry_backoff=0.5: ", "give a number from 1 to 100"),
        ({"retry_jitter": "maybe"}, "retry_jitter='maybe': ", "use retry_jitter=True"),
        (
            {"retry_delay": "1h", "retry_max_delay": "10m"},
            "retry_max_delay_s 600 is less than retry_delay_s 3600",
            "",
        ),
        ({"retry_on": "OSError"}, "retry_on='OSError' is not a class", "write for example"),
        ({"never_retry_on": (int,)}, "never_retry_on=(<class 'int'>,) is not a", "for example"),
        ({"retry_on": 5}, "retry_on=5 is not a class of exceptions", "write for example"),
    ],
)
def test_wrong_policy_is_refused_where_it_is_written(
    options: dict[str, Any], message: str, next_step: str
) -> None:
    server = TaskServer("a")
    with pytest.raises(UserError) as refused:
        server.task(name="x", **options)(lambda: None)
    assert message in str(refused.value)
    assert next_step in refused.value.next


@pytest.mark.parametrize(
    ("options", "first_s", "longest_s"),
    [
        ({"retry_delay": "1h"}, 3600, 3600),
        ({"retry_delay": "1m"}, 60, 600),
        ({"retry_max_delay": "2s"}, 2, 2),
        ({"retry_max_delay": "1h"}, 5, 3600),
    ],
)
def test_default_of_one_delay_gives_way_to_the_other(
    options: dict[str, str], first_s: int, longest_s: int
) -> None:
    task = declared(lambda: None, **options)

    assert (task.retry_delay_s, task.retry_max_delay_s) == (first_s, longest_s)
