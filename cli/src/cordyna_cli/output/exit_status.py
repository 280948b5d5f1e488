"""Exit status: what a script learns from `dyna` without reading a word."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """Part of the published interface; a number never changes its meaning."""

    COMPLETED = 0
    ENDED_IN_ERROR = 1
    """Or was refused."""
    USAGE = 2
    NOT_FOUND = 3
    ACCESS = 4
    """Credentials or an endpoint do not work."""
    SERVICE = 5
    """A service answered with an error, or cordyna itself failed."""
    GAVE_UP_WAITING = 124
    INTERRUPTED = 130
