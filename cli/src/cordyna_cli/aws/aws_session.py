"""AWS session: one account and region, as the command line reaches it.

Invariant: credentials, region and endpoint come from botocore's own chain, except for options.
Every error of botocore becomes an AccessError (fix the credentials or the address) or a
ServiceError (the service itself), with what to do about it.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore import exceptions as botocore_errors

from cordyna_cli.engine import EngineOptions
from cordyna_core.aws.clients import client_config, named_region
from cordyna_core.errors import AccessError, ServiceError, UserError

_ACCESS_CODES: Final = frozenset(
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
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.CredentialRetrievalError,
    botocore_errors.ProfileNotFound,
    botocore_errors.ConfigParseError,
    botocore_errors.SSOError,
    botocore_errors.TokenRetrievalError,
)
_UNREACHABLE: Final = (
    botocore_errors.EndpointConnectionError,
    botocore_errors.ConnectTimeoutError,
    botocore_errors.SSLError,
    botocore_errors.ProxyConnectionError,
)
_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")
_KEYS_OF_AN_EMULATOR: Final = (
    "an emulator accepts any keys: export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test"
)
_START_THE_LOCAL_CLOUD: Final = (
    "start the cloud of this machine: `make cloud` in the repository; or check --endpoint-url"
)
_AWS_DOMAINS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws")


class AwsSession:
    """One account and region. Clients are made when they are first needed."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        with self._translated():
            self._session = boto3.Session(
                profile_name=options.profile, region_name=options.region or named_region()
            )
        # Clients may be used by several threads, but making them may not.
        self._making = threading.RLock()
        self.client = cache(self._make_client)

    @property
    def is_emulator(self) -> bool:
        """Whether the endpoint is not one of AWS: an emulator has no quotas.

        It may be named by the profile of dyna, the environment, or the configuration of AWS.
        """
        return not self._endpoint_host.endswith(_AWS_DOMAINS)

    @property
    def where(self) -> str:
        """Region and endpoint, for messages."""
        endpoint = self.client("sts").meta.endpoint_url if self.is_emulator else "AWS"
        return f"{self._session.region_name or 'no region'} at {endpoint}"

    @property
    def _endpoint_host(self) -> str:
        return urlsplit(self.client("sts").meta.endpoint_url).hostname or ""

    @cached_property
    def place(self) -> str:
        """Account and region, for addresses. Raises AccessError, ServiceError."""
        account = self.call("sts", "get_caller_identity")["Account"]
        return f"{account}.{self._session.region_name or 'no-region'}"

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """Call one operation. Raises AccessError, ServiceError."""
        with self._translated():
            return getattr(self.client(service), operation)(**arguments)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate errors; where the address or profile tells more, the next step is its own."""
        try:
            with translate_aws_errors():
                yield
        except AccessError as failed:
            step = self._own_next_step(failed.__cause__)
            if step is None:
                raise
            raise AccessError(failed.what, why=failed.why, next=step) from failed.__cause__

    def _own_next_step(self, cause: BaseException | None) -> str | None:
        if isinstance(cause, botocore_errors.ProfileNotFound):
            return _profiles_to_choose(self._options.known_profiles)
        if urlsplit(self._options.endpoint_url or "").hostname not in _THIS_MACHINE:
            return None
        if isinstance(cause, botocore_errors.NoCredentialsError):
            return _KEYS_OF_AN_EMULATOR
        return _START_THE_LOCAL_CLOUD if isinstance(cause, _UNREACHABLE) else None

    def _make_client(self, service: str) -> Any:
        with self._making, self._translated():
            return self._session.client(
                service,
                endpoint_url=self._options.endpoint_url,
                config=client_config(read_timeout_s=60),
            )  # type: ignore[call-overload]


def _profiles_to_choose(own: Sequence[str]) -> str:
    names = sorted({*own, *botocore.session.Session().available_profiles})
    known = f"one of {', '.join(names)}" if names else "no profile exists yet"
    return f"give a --profile that exists: {known}"


class ResourceNotFound(ServiceError):
    """AWS has nothing of that name."""


@contextmanager
def translate_aws_errors() -> Iterator[None]:
    """Raise what botocore raises inside as AccessError or ServiceError."""
    try:
        yield
    except botocore_errors.ClientError as refused:
        raise _error_answer(refused) from refused
    except _NO_CREDENTIALS as missing:
        raise AccessError(
            "no working AWS credentials were found.",
            why=str(missing),
            next="log in (`aws sso login`, `aws configure`), or give --profile",
        ) from missing
    except botocore_errors.NoRegionError as missing:
        raise AccessError(
            "no AWS region is named.", next="give --region, or set AWS_REGION"
        ) from missing
    except _UNREACHABLE as unreachable:
        raise AccessError(
            "AWS cannot be reached.",
            why=str(unreachable),
            next="check --endpoint-url, --region and the network",
        ) from unreachable
    except botocore_errors.BotoCoreError as failed:
        raise ServiceError(
            "the call to AWS failed.", why=str(failed), next="run the same command again"
        ) from failed


def _error_answer(refused: botocore_errors.ClientError) -> UserError:
    code, message = refused.response["Error"]["Code"], refused.response["Error"].get("Message", "")
    why = f"{refused.operation_name}: {code}: {message}"
    if code in _ACCESS_CODES:
        return AccessError(
            "AWS refused access.",
            why=why,
            next="check the credentials and what their policy allows",
        )
    if "NotFound" in code or "NonExistent" in code or "DoesNotExist" in code:
        return ResourceNotFound(
            "AWS has no such resource.",
            why=why,
            next="check that cordyna is deployed in this account and region",
        )
    return ServiceError(
        "an AWS service answered with an error.",
        why=why,
        next="run the same command again; `dyna doctor` checks everything",
    )
