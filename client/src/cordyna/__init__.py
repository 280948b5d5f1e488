"""cordyna: the Python client, re-exported from `cordyna_cli.client`."""

from cordyna_cli.client import (
    AsyncClient,
    AsyncRunHandle,
    Client,
    Event,
    RunFailed,
    RunHandle,
    RunTimeout,
    connect,
    connect_async,
)

__all__ = [
    "AsyncClient",
    "AsyncRunHandle",
    "Client",
    "Event",
    "RunFailed",
    "RunHandle",
    "RunTimeout",
    "connect",
    "connect_async",
]
