"""Settings: what a task server on AWS is told by its environment, read once.

CORDYNA_BUS             the event bus (default `cordyna`)
CORDYNA_SERVER          the server to run, `package.module:name`, where the entry is cordyna's own
CORDYNA_QUEUE_URL       the work queue behind the server's door
CORDYNA_CLAIMS_TABLE    the table that makes an attempt's body run at most once
CORDYNA_WORKERS         bodies at the same time in a container (default 4)
CORDYNA_REVISION        the number of the deployment (read by TaskServer)
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cordyna_core.errors import UserError

DEFAULT_BUS: Final = "cordyna"
DEFAULT_WORKERS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """None where nothing was said."""

    bus: str = DEFAULT_BUS
    server: str | None = None
    queue_url: str | None = None
    claims_table: str | None = None
    workers: int = DEFAULT_WORKERS


def server_settings(environ: Mapping[str, str] = os.environ) -> ServerSettings:
    """What the environment says; an empty value is none. Raises UserError for a number that is none."""
    return ServerSettings(
        bus=environ.get("CORDYNA_BUS") or DEFAULT_BUS,
        server=environ.get("CORDYNA_SERVER") or None,
        queue_url=environ.get("CORDYNA_QUEUE_URL") or None,
        claims_table=environ.get("CORDYNA_CLAIMS_TABLE") or None,
        workers=_workers(environ.get("CORDYNA_WORKERS") or str(DEFAULT_WORKERS)),
    )


def _workers(written: str) -> int:
    if not written.isdecimal() or int(written) < 1:
        raise UserError(
            f"CORDYNA_WORKERS={written!r} is not a whole number from 1 up",
            next="say how many bodies may run at the same time",
        )
    return int(written)
