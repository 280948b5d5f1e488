"""Settings: the environment variables of a task server on AWS, read once.

CORDYNA_BUS             the event bus (default `cordyna`)
CORDYNA_SERVER          the server to run, `package.module:name`, for cordyna's own entry points
CORDYNA_QUEUE_URL       the work queue behind the server's queue ingress
CORDYNA_CHECK_QUEUE_URL the queue by which the ingress publishes `queued` only of commands whose
                        bodies do not begin within 3 s (default: of each command, at once)
CORDYNA_CLAIMS_TABLE    the table that makes the body of an attempt run at most once
CORDYNA_WORKERS         bodies at the same time in a container (default: the server's concurrency)
CORDYNA_DRAIN_S         how long bodies in a container may take after SIGTERM (default: 100)
CORDYNA_STARTED_AFTER_S after how many seconds, 0 to 5, a body that still runs is `started`; one
                        that ends sooner reports its end only (default: 1; 0: at once)
CORDYNA_REVISION        the number of the deployment (read by TaskServer)
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cordyna_core.errors import UserError
from cordyna_core.start_hold import DEFAULT_HOLD_S, HOLD_MAX_S

DEFAULT_BUS: Final = "cordyna"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The settings; None where a variable is not set."""

    bus: str = DEFAULT_BUS
    server: str | None = None
    queue_url: str | None = None
    check_queue_url: str | None = None
    claims_table: str | None = None
    ecs_agent_uri: str | None = None
    workers: int | None = None
    drain_s: int | None = None
    started_after_s: float = DEFAULT_HOLD_S


def server_settings(environ: Mapping[str, str] = os.environ) -> ServerSettings:
    """Read the settings; an empty variable is not set. Raises UserError for a bad number."""
    return ServerSettings(
        bus=environ.get("CORDYNA_BUS") or DEFAULT_BUS,
        server=environ.get("CORDYNA_SERVER") or None,
        queue_url=environ.get("CORDYNA_QUEUE_URL") or None,
        check_queue_url=environ.get("CORDYNA_CHECK_QUEUE_URL") or None,
        claims_table=environ.get("CORDYNA_CLAIMS_TABLE") or None,
        ecs_agent_uri=environ.get("ECS_AGENT_URI") or None,
        workers=_number(environ, "CORDYNA_WORKERS", "how many bodies may run at the same time"),
        drain_s=_number(environ, "CORDYNA_DRAIN_S", "less than the platform waits before a kill"),
        started_after_s=_seconds(environ, "CORDYNA_STARTED_AFTER_S", DEFAULT_HOLD_S, HOLD_MAX_S),
    )


def _number(environ: Mapping[str, str], name: str, meaning: str) -> int | None:
    text = environ.get(name)
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UserError(
            f"{name}={text!r} is not a whole number from 1 up", next=f"set it to {meaning}"
        )
    return int(text)


def _seconds(environ: Mapping[str, str], name: str, default: float, most: float) -> float:
    text = environ.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= most:
        raise UserError(
            f"{name}={text!r} is not a number of seconds from 0 to {most:g}",
            next=f"set it to what most bodies take, at most {most:g}, or leave it out",
        )
    return seconds
