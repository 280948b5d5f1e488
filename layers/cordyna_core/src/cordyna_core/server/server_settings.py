"""Server settings: the revision and the concurrency of a task server, and what is refused as one.

Invariant: an error says what was given, and what to give instead.
"""

import os

from cordyna_core.contract.limits import MAX_REVISION
from cordyna_core.errors import UserError


def require_concurrency(concurrency: object) -> int:
    """Return how many bodies may run at the same time. Raises UserError."""
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise UserError(
            f"concurrency {concurrency!r} is not a whole number from 1 up",
            next="pass how many bodies may run at the same time",
        )
    return concurrency


def require_revision(revision: object) -> int:
    """Return the revision of a deployment. Raises UserError."""
    if type(revision) is int and 0 <= revision <= MAX_REVISION:
        return revision
    raise UserError(
        f"revision {revision!r} is not a whole number from 0 to {MAX_REVISION}",
        next="pass revision=1, or leave it out",
    )


def deployed_revision() -> int:
    """Return what CORDYNA_REVISION says; 0 if nothing. Raises UserError."""
    text = os.environ.get("CORDYNA_REVISION", "0")
    try:
        return int(text)
    except ValueError:
        raise UserError(
            f"CORDYNA_REVISION={text!r} is not a whole number",
            next="set it to the number of the deployment",
        ) from None
