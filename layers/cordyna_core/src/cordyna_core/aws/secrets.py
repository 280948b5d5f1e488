"""Secrets of AWS: reads parameters of Systems Manager and secrets of Secrets Manager.

Invariant: an error names what AWS answered, never a value. The role of the task server needs
`ssm:GetParameter` or `secretsmanager:GetSecretValue` (and `kms:Decrypt` for a key of its own).
"""

from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from cordyna_core.aws.clients import client

_PERMANENT: Final = frozenset(
    {
        "AccessDeniedException",
        "InvalidKeyId",
        "InvalidParameterException",
        "ParameterNotFound",
        "ParameterVersionNotFound",
        "ResourceNotFoundException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)


class SecretUnavailable(Exception):
    """AWS gave no secret. `is_temporary`: whether it may do so later."""

    def __init__(self, reason: str, *, is_temporary: bool) -> None:
        super().__init__(reason)
        self.is_temporary = is_temporary


def read_parameter(name: str, clients: Callable[[str], Any] = client) -> str:
    """Return a parameter of Systems Manager, decrypted. Raises SecretUnavailable."""
    answer = _answer(lambda: clients("ssm").get_parameter(Name=name, WithDecryption=True))
    return str(answer["Parameter"]["Value"])


def read_secret(name: str, clients: Callable[[str], Any] = client) -> str:
    """Return the text of a secret, by name or ARN. Raises SecretUnavailable."""
    answer = _answer(lambda: clients("secretsmanager").get_secret_value(SecretId=name))
    if "SecretString" not in answer:
        raise SecretUnavailable("it is binary: store it as text", is_temporary=False)
    return str(answer["SecretString"])


def _answer(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ClientError as refused:
        code = refused.response.get("Error", {}).get("Code", "")
        raise SecretUnavailable(
            f"AWS answered {code}", is_temporary=code not in _PERMANENT
        ) from None
    except BotoCoreError as failed:
        raise SecretUnavailable(str(failed), is_temporary=True) from None


READERS: Final[dict[str, Callable[[str], str]]] = {
    "ssm": read_parameter,
    "secretsmanager": read_secret,
}
"""By the scheme of a reference."""
