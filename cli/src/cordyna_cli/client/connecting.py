"""Connecting: opens a client with the settings that `dyna` would use.

Invariant: an argument replaces `CORDYNA_*`, which replaces `[tool.cordyna]` and the profile, as the
global options of `dyna` do.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cordyna_cli.client.async_client import AsyncClient
from cordyna_cli.client.sync_client import Client
from cordyna_cli.engine import OpenEngine
from cordyna_cli.engines import open_engine
from cordyna_cli.input.cli_context import GlobalFlags
from cordyna_cli.input.settings import resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    environ: Mapping[str, str]
    cwd: Path


def connect(
    *,
    servers: Sequence[str] = (),
    home: str | None = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    bus: str | None = None,
    engines: Mapping[str, OpenEngine] | None = None,
) -> Client:
    """Open the engine that `dyna` would use here: a home on this machine, or cerebro on AWS.

    Args:
        servers: task servers to run in this home, as `--server`.
        home: where the runs are kept, as `--home`.
        profile: of a cerebro on AWS, as `--profile`; so are region, endpoint_url and bus.
        engines: use these instead of the installed ones.

    Raises:
        UserError: settings that exclude each other or cannot be read, or no engine is installed.
    """
    flags = GlobalFlags(
        servers=tuple(servers),
        home=home,
        profile=profile,
        region=region,
        endpoint_url=endpoint_url,
        bus=bus,
    )
    settings = resolve(flags, _Surroundings(environ=os.environ, cwd=Path.cwd()))
    options = replace(settings.options, runs_tasks=True)
    engine = open_engine(settings.engine, options, engines)
    return Client(engine.__enter__(), joins=settings.engine == "embedded")


def connect_async(
    *,
    servers: Sequence[str] = (),
    home: str | None = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    bus: str | None = None,
    engines: Mapping[str, OpenEngine] | None = None,
) -> AsyncClient:
    """As `connect`, for `async with`; the engine is opened there."""
    return AsyncClient(
        lambda: connect(
            servers=servers,
            home=home,
            profile=profile,
            region=region,
            endpoint_url=endpoint_url,
            bus=bus,
            engines=engines,
        )
    )
