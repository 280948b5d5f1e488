"""Raw events of the command line on AWS: `dyna send`."""

import json

import pytest

from cli_aws.cloud_in_memory import MemoryCloud
from cli_aws.test_aws_engine import an_engine
from cli_aws.test_cloud_operations import Sqs, a_message
from cordyna_core.errors import ServiceError


def test_raw_events_are_sent_unaltered() -> None:
    cloud = MemoryCloud()
    engine = an_engine(cloud)
    lines = [
        json.dumps(
            {
                "source": "cordyna.server.forged",
                "detail-type": "TaskStateChanged",
                "detail": {"a": 1},
            }
        ),
        json.dumps({"source": "s", "detail-type": "T", "detail": '{"a": 2}'}),
        "not JSON",
        "[1]",
    ]
    engine.send(lines)
    passed = [json.loads(text) for text in cloud.passed[-4:]]
    assert [(each["source"], each["detail-type"], each["detail"]) for each in passed] == [
        ("cordyna.server.forged", "TaskStateChanged", {"a": 1}),
        ("s", "T", {"a": 2}),
        ("cordyna.client", "", {"text": "not JSON"}),
        ("cordyna.client", "", {"text": "[1]"}),
    ]


def test_rejected_raw_events_are_a_service_error() -> None:
    cloud = MemoryCloud()
    engine = an_engine(cloud)
    cloud.answers["events.put_events"] = lambda **_: {
        "Entries": [{"ErrorCode": "InvalidArgument", "ErrorMessage": "no source"}]
    }
    with pytest.raises(ServiceError, match="rejected 1 of the events") as raised:
        engine.send(["{}"])
    assert raised.value.why == "InvalidArgument: no source"


def test_raw_event_nested_too_deeply_is_sent_as_text() -> None:
    cloud = MemoryCloud()
    deep = '{"detail": ' + "[" * 100_000
    an_engine(cloud).send([deep])
    (passed,) = [json.loads(text) for text in cloud.passed[-1:]]
    assert passed["detail"] == {"text": deep}


def test_dead_letter_nested_too_deeply_is_shown() -> None:
    cloud = MemoryCloud()
    message = a_message("[" * 100_000, reason="the event: recursion limit exceeded")
    Sqs(cloud, cordyna_planner_dead_letters=[message])
    (found,) = an_engine(cloud).operations.dead_letters()
    assert found.samples == ("not JSON: the event: recursion limit exceeded",)
