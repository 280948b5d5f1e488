"""Clients: boto3 clients as the library wants them, one of each per process.

Law: credentials, region and endpoint are botocore's own chain; only patience is ours.
"""

from functools import cache
from typing import Any, Final

import boto3
from botocore.config import Config

CONNECT_TIMEOUT_S: Final = 3
READ_TIMEOUT_S: Final = 10


def patience(*, read_timeout_s: float = READ_TIMEOUT_S) -> Config:
    """Standard retry mode: at most three tries, with jitter, of what may be tried again (AWS SDKs, retry behavior)."""
    return Config(connect_timeout=CONNECT_TIMEOUT_S, read_timeout=read_timeout_s, retries={"mode": "standard", "total_max_attempts": 3})


@cache
def client(service: str, *, read_timeout_s: float = READ_TIMEOUT_S) -> Any:
    """The process's client of a service."""
    return boto3.client(service, config=patience(read_timeout_s=read_timeout_s))  # type: ignore[call-overload]
