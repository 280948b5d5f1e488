"""The Python client: the same engines as `dyna`, from a program."""

from cordyna_cli.client.async_client import AsyncClient, AsyncRunHandle
from cordyna_cli.client.connecting import connect, connect_async
from cordyna_cli.client.event import Event
from cordyna_cli.client.outcome import RunFailed, RunTimeout
from cordyna_cli.client.sync_client import Client, RunHandle
from cordyna_core.errors import AccessError, NotFound, Refusal, ServiceError, UserError

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
