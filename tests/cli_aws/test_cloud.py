"""What goes wrong between a person and AWS, as that person is raised it."""

from typing import Any

import pytest
from botocore import exceptions as faults
from botocore.stub import Stubber

from cli_aws.cloud_in_memory import refused
from cordyna_cli.aws.aws_session import AwsSession, ResourceNotFound, translate_aws_errors
from cordyna_cli.engine import EngineOptions
from cordyna_core.errors import AccessError, ServiceError


@pytest.mark.parametrize(
    "fault",
    [
        faults.NoCredentialsError(),
        faults.PartialCredentialsError(provider="env", cred_var="x"),
        faults.UnauthorizedSSOTokenError(),
        faults.TokenRetrievalError(provider="sso", error_msg="expired"),
        faults.NoRegionError(),
        faults.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        faults.ConnectTimeoutError(endpoint_url="http://127.0.0.1:1"),
        refused("ExpiredTokenException"),
        refused("UnrecognizedClientException"),
        refused("AccessDeniedException"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_failed_credentials_and_addresses_are_access_errors(fault: Exception) -> None:
    with pytest.raises(AccessError) as error, translate_aws_errors():
        raise fault
    assert error.value.next


@pytest.mark.parametrize(
    "fault",
    [
        refused("ThrottlingException"),
        faults.ReadTimeoutError(endpoint_url="x"),
        faults.ParamValidationError(report="x"),
    ],
)
def test_failed_service_is_a_service_error(fault: Exception) -> None:
    with pytest.raises(ServiceError), translate_aws_errors():
        raise fault


@pytest.mark.parametrize(
    "code",
    [
        "ResourceNotFoundException",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "ParameterNotFound",
    ],
)
def test_missing_resource_is_resource_not_found(code: str) -> None:
    with pytest.raises(ResourceNotFound, match="no such resource"), translate_aws_errors():
        raise refused(code)


def test_missing_profile_is_an_access_error() -> None:
    with pytest.raises(AccessError, match="no working AWS credentials"):
        AwsSession(EngineOptions(profile="missing-profile"))


def test_missing_region_is_an_access_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(AccessError, match="no AWS region"):
        AwsSession(EngineOptions()).client("sqs")


def test_call_uses_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    cloud = AwsSession(EngineOptions(region="eu-west-1", endpoint_url="http://127.0.0.1:1"))
    client: Any = cloud.client("sqs")
    assert client is cloud.client("sqs")
    assert (client.meta.region_name, client.meta.endpoint_url) == (
        "eu-west-1",
        "http://127.0.0.1:1",
    )
    assert cloud.where == "eu-west-1 at http://127.0.0.1:1"
    with Stubber(client) as stub:
        stub.add_response("get_queue_url", {"QueueUrl": "u"}, {"QueueName": "q"})
        assert cloud.call("sqs", "get_queue_url", QueueName="q")["QueueUrl"] == "u"
