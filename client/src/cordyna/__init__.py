"""cordyna: the Python client, re-exported from `cordyna_cli.client`."""

from cordyna_cli.client import (
    AsyncClient,
    AsyncRun,
    Client,
    Event,
    Run,
    RunFailed,
    RunTimeout,
    connect,
    connect_async,
)

__all__ = [
    "AsyncClient",
    "AsyncRun",
    "Client",
    "Event",
    "Run",
    "RunFailed",
    "RunTimeout",
    "connect",
    "connect_async",
]
