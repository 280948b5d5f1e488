"""Secrets: resolves references in the process of the body.

Invariant: an error names the reference, never the value. Nothing is kept: a reference is resolved
again for each attempt, so a secret that was rotated is the new one.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretBytes, SecretStr

from cordyna_core.contract.secret_params import REFERENCE_RULE, is_reference
from cordyna_core.errors import TaskError

MAX_SECRET_BYTES: Final = 64 * 1024
"""The most that Secrets Manager keeps (Secrets Manager quotas)."""


class SecretNotResolved(TaskError):
    """A reference leads to no secret. Retried only if it may lead to one later."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


def resolve_secret(reference: object) -> str:
    """Return the secret that a reference names. Raises SecretNotResolved."""
    if not isinstance(reference, str) or not is_reference(reference):
        raise SecretNotResolved(f"a secret was given as a plain value: give {REFERENCE_RULE}")
    scheme, _, name = reference.partition(":")
    return _RESOLVERS[scheme](name)


def _from_environment(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise SecretNotResolved(
            f"env:{name} is not set in the environment of the task server: set it there"
        ) from None


def _from_file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
        # Of a longer file, the last character may be cut.
        text = content.decode() if len(content) <= MAX_SECRET_BYTES else ""
    except (OSError, UnicodeDecodeError) as unreadable:
        reason = getattr(unreadable, "strerror", None) or "it is not text"
        raise SecretNotResolved(f"file:{path} cannot be read: {reason}") from None
    if len(content) > MAX_SECRET_BYTES:
        raise SecretNotResolved(f"file:{path} has more than {MAX_SECRET_BYTES:,} bytes")
    return text.removesuffix("\n").removesuffix("\r")


def _from_aws(scheme: str) -> Callable[[str], str]:
    def read(name: str) -> str:
        try:
            # Only now: the extra may not be installed, and importing it takes 100 ms.
            from cordyna_core.aws.secrets import READERS, SecretUnavailable  # noqa: PLC0415
        except ModuleNotFoundError as missing:
            raise SecretNotResolved(
                f"{scheme}:{name} needs the package {missing.name}: "
                "pip install 'cordyna-core[aws]' for the task server"
            ) from None
        try:
            return READERS[scheme](name)
        except SecretUnavailable as unavailable:
            raise SecretNotResolved(
                f"{scheme}:{name} cannot be read: {unavailable}", retryable=unavailable.is_temporary
            ) from None

    return read


def references_in(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Yield (place, reference) of every secret in an argument that is a reference still."""
    if isinstance(value, SecretStr | SecretBytes):
        text = value.get_secret_value()
        text = text if isinstance(text, str) else text.decode("utf-8", "replace")
        if is_reference(text):
            yield path, text
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from references_in(item, f"{path}.{key}")
    elif isinstance(value, list | tuple | set | frozenset):
        for number, item in enumerate(value):
            yield from references_in(item, f"{path}[{number}]")
    elif isinstance(value, BaseModel) or (is_dataclass(value) and not isinstance(value, type)):
        names = type(value).model_fields if isinstance(value, BaseModel) else _fields_of(value)
        for name in names:
            yield from references_in(getattr(value, name, None), f"{path}.{name}")


def _fields_of(value: Any) -> list[str]:
    return [field.name for field in fields(value)]


def refuse_unresolved(arguments: Mapping[str, Any], secrets: Collection[str]) -> None:
    """Raise SecretNotResolved if a body would be given a reference as a secret.

    `secrets`: those that were resolved. The default of a field was not: nothing on the wire names
    it.
    """
    for name, argument in arguments.items():
        for path, reference in references_in(argument, name):
            if reference not in secrets:
                raise SecretNotResolved(f"{path} is {reference}, unresolved: {DEFAULT_RULE}")


DEFAULT_RULE: Final = (
    "only a parameter itself can have a reference as its default, no part of it: give the value, "
    "or make it a parameter of its own"
)


_RESOLVERS: Final[dict[str, Callable[[str], str]]] = {
    "env": _from_environment,
    "file": _from_file,
    "ssm": _from_aws("ssm"),
    "secretsmanager": _from_aws("secretsmanager"),
}
