"""Settings: the limits and delays of the worker host, in one table.

Invariant: the host reads every delay from here, so that a test can shorten any of them.
"""

import json
from typing import Final, NamedTuple

KIB: Final = 1024
MIB: Final = 1024 * KIB


class Settings(NamedTuple):
    """Delays in seconds, sizes in bytes."""

    load_timeout_s: float = 30.0
    """From the start of a server's process to its declaration, less its waits for the processor."""
    load_limit_s: float = 300.0
    """The same with them."""
    queued_after_s: float = 0.5
    """How long a command waits for a worker before `queued` is published."""
    short_body_s: float = 0.0
    """A body that ends sooner is not reported as `started`: its final state says when it began."""
    reports_lone_start: bool = False
    """Report the start of a body at once, also of a short one, if its server runs no other."""
    default_grace_s: float = 10.0
    """From CancelTask to SIGTERM, unless the command says otherwise."""
    kill_after_s: float = 5.0
    """From SIGTERM to SIGKILL."""
    pipes_grace_s: float = 0.5
    """How long the pipes of an attempt may stay open after its final state."""
    coalesce_s: float = 0.01
    """The least time between two reads of a pipe that is not full."""
    cut_report_s: float = 1.0
    """How often the size of the omitted output is reported."""
    head_bytes: int = 8 * MIB
    tail_bytes: int = 2 * MIB
    backlog_bytes: int = 128 * KIB
    """What may wait for the engine before the host stops reading from bodies.

    A state of one body waits behind it, so it is what the engine takes in some milliseconds.
    """
    template_timeout_s: float = 10.0
    """How long a template may take to fork a body, or to report the end of a killed one."""
    restart_min_s: float = 0.1
    restart_max_s: float = 30.0
    """The first and the longest delay before a server's process that died is started again."""

    def to_json(self) -> str:
        """Return the settings as one line, for the host's command line."""
        return json.dumps(self._asdict())


def settings_from_json(text: str) -> Settings:
    """Return the settings that `to_json` wrote."""
    return Settings(**json.loads(text))
