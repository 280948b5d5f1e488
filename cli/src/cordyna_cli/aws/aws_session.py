"""Cloud: AWS as a person's command line reaches it.

Law: credentials, region and endpoint are botocore's own chain, but for what was typed. Whatever goes wrong becomes an
AccessError (mend the credentials or the address) or a ServiceError (the service itself), with what to do about it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import boto3
from botocore import exceptions as faults

from cordyna_cli.engine import EngineOptions
from cordyna_core.aws.clients import client_config, named_region
from cordyna_core.errors import AccessError, ServiceError, UserError

_REFUSED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
_NO_CREDENTIALS: Final = (
    faults.NoCredentialsError,
    faults.PartialCredentialsError,
    faults.CredentialRetrievalError,
    faults.ProfileNotFound,
    faults.ConfigParseError,
    faults.SSOError,
    faults.TokenRetrievalError,
)
_NO_WAY: Final = (
    faults.EndpointConnectionError,
    faults.ConnectTimeoutError,
    faults.SSLError,
    faults.ProxyConnectionError,
)


class AwsSession:
    """One account and region. Clients are made when they are first needed."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        with translate_aws_errors():
            self._session = boto3.Session(
                profile_name=options.profile, region_name=options.region or named_region()
            )
        self.client = cache(self._made)

    @property
    def where(self) -> str:
        """For a person."""
        return (
            f"{self._session.region_name or 'no region'} at {self._options.endpoint_url or 'AWS'}"
        )

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """One call. Raises AccessError, ServiceError."""
        with translate_aws_errors():
            return getattr(self.client(service), operation)(**arguments)

    def _made(self, service: str) -> Any:
        with translate_aws_errors():
            return self._session.client(
                service,
                endpoint_url=self._options.endpoint_url,
                config=client_config(read_timeout_s=60),
            )  # type: ignore[call-overload]


class ResourceNotFound(ServiceError):
    """AWS knows nothing of that name; `code` is AWS's word for it."""


@contextmanager
def translate_aws_errors() -> Iterator[None]:
    """What botocore raises inside, as UserErrors."""
    try:
        yield
    except faults.ClientError as refused:
        raise _of_answer(refused) from refused
    except _NO_CREDENTIALS as missing:
        raise AccessError(
            "there are no AWS credentials that work.",
            why=str(missing),
            next="log in (`aws sso login`, `aws configure`), or give --profile",
        ) from missing
    except faults.NoRegionError as missing:
        raise AccessError(
            "no AWS region is named.", next="give --region, or set AWS_REGION"
        ) from missing
    except _NO_WAY as unreachable:
        raise AccessError(
            "AWS cannot be reached.",
            why=str(unreachable),
            next="look at --endpoint-url, --region and the network",
        ) from unreachable
    except faults.BotoCoreError as failed:
        raise ServiceError(
            "AWS did not answer as it should.", why=str(failed), next="try again"
        ) from failed


def _of_answer(refused: faults.ClientError) -> UserError:
    code, message = refused.response["Error"]["Code"], refused.response["Error"].get("Message", "")
    why = f"{refused.operation_name}: {code}: {message}"
    if code in _REFUSED:
        return AccessError(
            "AWS refused access.",
            why=why,
            next="look at the credentials, and at what their policy allows",
        )
    if "NotFound" in code or "NonExistent" in code or "DoesNotExist" in code:
        return ResourceNotFound(
            "AWS knows no such thing.",
            why=why,
            next="is cordyna deployed in this account and region?",
        )
    return ServiceError(
        "a service of AWS answered with an error.",
        why=why,
        next="try again; `dyna doctor` looks at everything",
    )
