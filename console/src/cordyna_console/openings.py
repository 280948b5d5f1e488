"""Openings: codes that let a browser in once, and the secrets behind them.

Invariant: a code works once and within `CODE_VALID_S`. The secrets never appear in an address.
"""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from typing import Final

CODE_VALID_S: Final = 60.0
CODES_MAX: Final = 100


def new_token() -> str:
    """Return a secret that cannot be guessed."""
    return secrets.token_urlsafe(32)


def cookie_of(token: str, port: int) -> str:
    """Return the value of the cookie: derived, so that the cookie does not give the token away."""
    return hmac.new(token.encode(), f"cookie {port}".encode(), hashlib.sha256).hexdigest()


class Openings:
    """The codes that wait to be used. `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._codes: dict[str, float] = {}
        self._lock = threading.Lock()

    def issue(self) -> str:
        """Return a new code; the oldest is forgotten when too many wait."""
        with self._lock:
            while len(self._codes) >= CODES_MAX:
                del self._codes[next(iter(self._codes))]
            code = secrets.token_urlsafe(24)
            self._codes[code] = self._clock() + CODE_VALID_S
        return code

    def redeem(self, code: str) -> bool:
        """Return whether the code is valid; it is not valid again."""
        with self._lock:
            valid_until = self._codes.pop(code, None)
        return valid_until is not None and self._clock() <= valid_until
