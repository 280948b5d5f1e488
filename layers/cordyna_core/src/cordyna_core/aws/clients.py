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
TRIES_MAX: Final = 3
PAUSES_MAX_S: Final = 3.0
"""The longest pauses between the tries of a call, together: 1 and 2 s, after throttling."""


def longest_call_s(*, connect_timeout_s: float, read_timeout_s: float) -> float:
    """Return how long a call may take that does not answer, with all its tries."""
    return TRIES_MAX * (connect_timeout_s + read_timeout_s) + PAUSES_MAX_S


def client_config(
    *, connect_timeout_s: float = CONNECT_TIMEOUT_S, read_timeout_s: float = READ_TIMEOUT_S
) -> Config:
    """Return the timeouts and retries: at most TRIES_MAX tries in botocore's standard mode."""
    return Config(
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": TRIES_MAX},
    )


@cache
def client(
    service: str,
    *,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    read_timeout_s: float = READ_TIMEOUT_S,
) -> Any:
    """Return the process's client of a service."""
    config = client_config(connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s)
    return session().create_client(service, region_name=named_region(), config=config)


def named_region() -> str | None:
    """Return the region that AWS_REGION names; None leaves it to botocore."""
    return os.environ.get("AWS_REGION") or None


@cache
def session() -> botocore.session.Session:
    """Return the process's session."""
    return botocore.session.get_session()
