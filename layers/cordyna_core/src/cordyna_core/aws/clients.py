"""Clients: of AWS's services as the library wants them, one of each per process.

Law: credentials, region and endpoint are botocore's own chain; only patience is ours. (And AWS_REGION counts, as in every other
SDK: Python's alone reads only AWS_DEFAULT_REGION.)

They are botocore's: boto3 makes the very same clients, and costs a cold start 30 ms more.
"""

import os
from functools import cache
from typing import Any, Final

import botocore.session
from botocore.config import Config

CONNECT_TIMEOUT_S: Final = 3
READ_TIMEOUT_S: Final = 10


def client_config(*, read_timeout_s: float = READ_TIMEOUT_S) -> Config:
    """Standard retry mode: at most three tries, with jitter, of what may be tried again (AWS SDKs, retry behavior)."""
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": 3},
    )


@cache
def client(service: str, *, read_timeout_s: float = READ_TIMEOUT_S) -> Any:
    """The process's client of a service."""
    return _session().create_client(
        service, region_name=named_region(), config=client_config(read_timeout_s=read_timeout_s)
    )


def named_region() -> str | None:
    """What AWS_REGION says; None leaves it to botocore."""
    return os.environ.get("AWS_REGION") or None


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()
