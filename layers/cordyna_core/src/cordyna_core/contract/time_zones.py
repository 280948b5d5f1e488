"""Time zones: the names that a cron may use.

Invariant: a name is one of the IANA time zone database as the package `tzdata` has it, whatever
else the machine has. (Without that package: the names of the machine.) Names that are not places
are left out, because what they mean depends on the machine.
"""

from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import available_timezones

UTC_NAME: Final = "UTC"
_NOT_PLACES: Final = frozenset({"Factory", "localtime", "posixrules"})
_NOT_PLACES_BELOW: Final = ("posix/", "right/")


def is_time_zone(name: str) -> bool:
    """Return whether a cron may use this time zone."""
    # UTC needs no database, which may not be installed.
    return name == UTC_NAME or name in _names()


@cache
def _names() -> frozenset[str]:
    try:
        names = set(files("tzdata").joinpath("zones").read_text("utf-8").split())
    except (ModuleNotFoundError, FileNotFoundError):
        names = available_timezones()
    return frozenset(
        name for name in names if name not in _NOT_PLACES and not name.startswith(_NOT_PLACES_BELOW)
    )
