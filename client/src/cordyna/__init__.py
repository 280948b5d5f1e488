"""cordyna: the Python client, re-exported from `cordyna_cli.client`."""

from cordyna_cli.client import (
    AccessError,
    AsyncClient,
    AsyncRunHandle,
    Client,
    Event,
    NotFound,
    Refusal,
    RunFailed,
    RunHandle,
    RunTimeout,
    ServiceError,
    UserError,
    connect,
    connect_async,
)

__all__ = [
    "AccessError",
    "AsyncClient",
    "AsyncRunHandle",
    "Client",
    "Event",
    "NotFound",
    "Refusal",
    "RunFailed",
    "RunHandle",
    "RunTimeout",
    "ServiceError",
    "UserError",
    "connect",
    "connect_async",
]
