"""Environment: the variables that cordyna itself sets for the processes that it starts."""

from typing import Final

WORKER_HOST_VARIABLE: Final = "CORDYNA_WORKER_HOST"
"""Marks all that descends from one worker host, so that it is found when the host is gone."""
