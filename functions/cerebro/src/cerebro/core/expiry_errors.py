"""Expiry errors: how cerebro describes an attempt whose clock expired."""

from typing import Final

from cordyna_core.contract.base import ErrorDescription

EXPIRY_ERRORS: Final = {
    reason: ErrorDescription(type="Timeout", message=message)
    for reason, message in {
        "ack_timeout": "the server did not acknowledge the command in time",
        "start_timeout": "the server queued the task but did not start it in time",
        "run_timeout": "the server started the task but did not finish it in time",
    }.items()
}
"""The description of each expiry, by its reason."""
