"""Clients of AWS's services, one of each per process.

Invariant: credentials, region and endpoint come from botocore's own chain; we set only timeouts and
retries. (And we read AWS_REGION, as every other SDK does: botocore reads only AWS_DEFAULT_REGION.)

The clients are botocore's: boto3 makes the same ones, and makes a cold start 30 ms longer.
"""

import os
from functools import cache
from typing import Any, Final

import botocore.session
from botocore.config import Config

CONNECT_TIMEOUT_S: Final = 3
READ_TIMEOUT_S: Final = 10


def client_config(*, read_timeout_s: float = READ_TIMEOUT_S) -> Config:
    """Return the timeouts and retries: at most three tries in botocore's standard mode."""
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": 3},
    )


@cache
def client(service: str, *, read_timeout_s: float = READ_TIMEOUT_S) -> Any:
    """Return the process's client of a service."""
    return session().create_client(
        service, region_name=named_region(), config=client_config(read_timeout_s=read_timeout_s)
    )


def named_region() -> str | None:
    """Return the region that AWS_REGION names; None leaves it to botocore."""
    return os.environ.get("AWS_REGION") or None


@cache
def session() -> botocore.session.Session:
    """Return the process's session."""
    return botocore.session.get_session()
