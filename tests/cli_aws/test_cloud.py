"""What goes wrong between a person and AWS, as that person is raised it."""

from pathlib import Path
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


def test_missing_profile_names_those_that_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "config"
    configuration.write_text("[profile sso]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")

    with pytest.raises(AccessError) as error:
        AwsSession(EngineOptions(profile="nope", known_profiles=("local",)))

    assert error.value.next == "give a --profile that exists: one of local, sso"
    configuration.write_text("")
    with pytest.raises(AccessError, match="no profile exists yet"):
        AwsSession(EngineOptions(profile="nope"))


LOCAL = EngineOptions(region="eu-west-1", endpoint_url="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("options", "fault", "step"),
    [
        (LOCAL, faults.NoCredentialsError(), "export AWS_ACCESS_KEY_ID=test"),
        (LOCAL, faults.EndpointConnectionError(endpoint_url="x"), "`make cloud`"),
        (LOCAL, refused("AccessDenied"), "what their policy allows"),
        (EngineOptions(region="eu-west-1"), faults.NoCredentialsError(), "aws sso login"),
        (
            EngineOptions(region="eu-west-1"),
            faults.EndpointConnectionError(endpoint_url="x"),
            "check --endpoint-url",
        ),
    ],
    ids=["keys", "start it", "policy", "log in", "address"],
)
def test_next_step_at_a_local_endpoint_is_its_own(
    options: EngineOptions, fault: Exception, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    session = AwsSession(options)
    client: Any = session.client("sts")

    def fail(**_arguments: Any) -> Any:
        raise fault

    monkeypatch.setattr(client, "get_caller_identity", fail)
    with pytest.raises(AccessError) as error:
        session.call("sts", "get_caller_identity")
    assert step in error.value.next


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


def test_emulator_of_the_aws_configuration_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "config"
    configuration.write_text("[profile own]\nendpoint_url = http://127.0.0.1:1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(configuration))
    configured = AwsSession(EngineOptions(profile="own", region="eu-west-1"))
    assert configured.is_emulator
    assert configured.where == "eu-west-1 at http://127.0.0.1:1"


def test_session_without_an_endpoint_is_at_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    session = AwsSession(EngineOptions(region="eu-west-1"))
    assert (session.is_emulator, session.where) == (False, "eu-west-1 at AWS")


def test_place_of_a_session_is_account_and_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    session = AwsSession(EngineOptions(region="eu-west-1"))
    with Stubber(session.client("sts")) as stub:
        stub.add_response("get_caller_identity", {"Account": "123456789012"})
        assert session.place == "123456789012.eu-west-1"
        assert session.place == "123456789012.eu-west-1"  # asked for once
