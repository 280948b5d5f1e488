"""Task protection: an instance of Amazon ECS that runs a body is not stopped by a deployment.

Invariant: protection is on while at least one body runs, and off otherwise. It expires by itself
after PROTECTED_MINUTES without an extension, so a hung instance does not block a deployment for
ever.
"""

import json
import logging
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

PROTECTED_MINUTES: Final = 60
TIMEOUT_S: Final = 5

Put = Callable[[str, bytes], None]

_log = logging.getLogger("cordyna.server")


class TaskProtection:
    """Counts running bodies. `agent_uri` is ECS_AGENT_URI; outside of ECS it is None."""

    def __init__(self, agent_uri: str | None, put: Put | None = None) -> None:
        self._url = f"{agent_uri}/task-protection/v1/state" if agent_uri else None
        self._put = put or put_json
        self._running = 0
        self._lock = threading.Lock()

    @contextmanager
    def while_running(self) -> Iterator[None]:
        """Protect this instance while a body runs."""
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._set(is_protected=True)
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if self._running == 0:
                    self._set(is_protected=False)

    def extend(self) -> None:
        """Protect this instance for another PROTECTED_MINUTES, if a body runs."""
        with self._lock:
            if self._running:
                self._set(is_protected=True)

    def _set(self, *, is_protected: bool) -> None:
        if self._url is None:
            return
        state: dict[str, object] = {"ProtectionEnabled": is_protected}
        if is_protected:
            state["ExpiresInMinutes"] = PROTECTED_MINUTES
        try:
            self._put(self._url, json.dumps(state).encode())
        except Exception:  # noqa: BLE001  a body runs also without protection
            _log.warning("the protection of this instance was not changed", exc_info=True)


def put_json(url: str, body: bytes) -> None:
    """PUT to the agent of this instance. Raises OSError."""
    request = urllib.request.Request(  # noqa: S310  the address that ECS gave this instance
        url, data=body, method="PUT", headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
        pass
