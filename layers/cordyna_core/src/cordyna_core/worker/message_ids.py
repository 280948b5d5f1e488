"""Message ids: ids and times of the state updates that the host publishes or completes.

Invariant: an id is derived from the attempt, so that a repeated update has the same id. The
function is that of the contract; the host has one of its own because it imports no pydantic.
"""

import hashlib
import time
from typing import Final

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TO_CROCKFORD: Final = bytes(ord(_CROCKFORD[byte & 31]) for byte in range(256))


def derived_id(*parts: str | int) -> str:
    """Return 26 Crockford characters of a hash of `parts`; the same parts give the same id."""
    digest = hashlib.sha256(
        "\x1f".join(map(str, parts)).encode("utf-8", "backslashreplace")
    ).digest()
    return digest[:26].translate(_TO_CROCKFORD).decode()


def rfc3339(seconds: float) -> str:
    """Return UTC seconds since the epoch, with milliseconds, as the contract writes times."""
    whole = int(seconds)
    written = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{written}.{int((seconds - whole) * 1000):03d}Z"
