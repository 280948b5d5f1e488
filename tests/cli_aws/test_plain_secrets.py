"""A plain value for a secret never reaches the bus of a cerebro on AWS."""

from typing import Any, Final

from cli_aws.cloud_in_memory import MemoryCloud
from cli_aws.test_aws_engine import an_engine
from cordyna_cli.engine import Invoked, Refused
from cordyna_core.contract.commands import InvokeTask

PLAIN: Final = "hunter2-hunter2"
SECRET: Final = {"type": "object", "properties": {"token": {"type": "string", "writeOnly": True}}}


def a_cloud() -> MemoryCloud:
    """y needs x, and both take a secret."""
    cloud = MemoryCloud()
    cloud.declare("x", "y<-x", "z<-y,x", params_schema=SECRET)
    return cloud


def invoked(cloud: MemoryCloud, task: str, **params: Any) -> Invoked | Refused:
    return an_engine(cloud).invoke(InvokeTask(task=task, params=params))


def test_plain_value_is_refused_before_it_is_sent() -> None:
    cloud = a_cloud()
    answer = invoked(cloud, "z", token=PLAIN)

    assert isinstance(answer, Refused)
    assert [problem.code for problem in answer.problems] == ["plain_secret"]
    assert "is a secret of z (server-a), y (server-a), x (server-a)" in answer.problems[0].message
    assert not any(PLAIN in text for text in cloud.passed)
    assert "events.put_events" not in cloud.calls


def test_reference_is_sent() -> None:
    cloud = a_cloud()
    assert isinstance(invoked(cloud, "z", token="ssm:/team/token"), Invoked)


def test_unknown_task_is_left_to_cerebro() -> None:
    answer = invoked(a_cloud(), "gone", token=PLAIN)
    assert isinstance(answer, Refused)
    assert [problem.code for problem in answer.problems] == ["unknown_task"]


def test_invocation_without_params_is_sent() -> None:
    assert isinstance(invoked(a_cloud(), "z"), Invoked)
